#!/usr/bin/env python3
"""A second verifier of Plinth's audit log, written apart from the first: verify_audit.py EXPORT [options]

    plinth admin audit export audit.jsonl
    verify_audit.py audit.jsonl --checkpoints /mnt/elsewhere/audit-checkpoints

Checks an export line by line: every record follows the one before (SHA-256 over its canonical JSON), and every checkpoint
(Ed25519, by OpenSSL's command line) has the head and the Merkle root (RFC 9162) of the records it sealed. Names the first
record that is wrong. Trusts the keys in the folders of --checkpoints, or where none is given those in the export itself.
With --proof the file is one record's proof (`plinth admin audit prove`), which needs no other record.
Exit codes: 0 whole, 1 wrong, 2 it is no export."""
import argparse
import base64
import glob
import hashlib
import json
import os
import subprocess
import sys
import tempfile

GENESIS = "0" * 64
PURPOSE = "plinth audit checkpoint 1"


class NoExport(Exception):
    pass


def canonical(value):
    """RFC 8785 for what the log holds: texts, integers, true, false, null, lists and objects."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(name) + ":" + canonical(item) for name, item in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):
        raise ValueError("a number that is no integer")
    return json.dumps(value, ensure_ascii=False)


def parse_object(text):
    """The object of a line, or None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def sha256(data):
    return hashlib.sha256(data).digest()


class Merkle:
    """The root over a growing list: one perfect tree for each bit of its size."""

    def __init__(self):
        self.size, self.trees = 0, []

    def add(self, record):
        tree, left = sha256(b"\0" + record), self.size
        while left & 1:
            tree, left = sha256(b"\1" + self.trees.pop() + tree), left >> 1
        self.trees.append(tree)
        self.size += 1

    def root(self):
        root = self.trees[-1]
        for tree in reversed(self.trees[:-1]):
            root = sha256(b"\1" + tree + root)
        return root.hex()


class Keys:
    """Public keys by id, and what they signed."""

    def __init__(self):
        self.pems = {}

    def add(self, pem):
        done = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=pem.encode("utf-8", "replace"),
                              capture_output=True, timeout=20)
        # RFC 8410: twelve bytes that say Ed25519, then the key.
        if done.returncode != 0 or len(done.stdout) != 44 or done.stdout[:12].hex() != "302a300506032b6570032100":
            raise NoExport("no public key of Ed25519")
        self.pems[sha256(done.stdout[12:]).hex()[:16]] = pem

    def signed(self, key, text, signature):
        try:
            raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        except (ValueError, TypeError):
            return False
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("key", "text", "signature")]
            for path, data in zip(paths, (self.pems[key].encode(), text.encode("utf-8", "replace"), raw)):
                with open(path, "wb") as file:
                    file.write(data)
            done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", paths[0], "-rawin", "-in", paths[1],
                                   "-sigfile", paths[2]], capture_output=True, timeout=20)
        return done.returncode == 0


class Checkpoints:
    def __init__(self, keys):
        self.keys, self.seen, self.finding = keys, {}, None

    def wrong(self, index, message):
        self.finding = self.finding or (index, "checkpoint", message)

    def add(self, line, where):
        inner = line.get("checkpoint") if line else None
        fields = {"head": str, "key": str, "purpose": str, "root": str, "size": int, "time_ms": int}
        if not isinstance(inner, dict) or {name: type(value) for name, value in inner.items()} != fields or \
                inner["purpose"] != PURPOSE or inner["size"] < 1:
            return self.wrong(0, f"{where}: no checkpoint")
        self.seen[(inner["size"], canonical(inner), str(line.get("signature")))] = inner

    def right(self):
        """Those that are signed by a trusted key, by size."""
        out = []
        for (size, text, signature), checkpoint in sorted(self.seen.items(), key=lambda entry: entry[0]):
            if checkpoint["key"] not in self.keys.pems:
                self.wrong(size, f"the checkpoint of {size} records is signed by a key that is not known")
            elif not self.keys.signed(checkpoint["key"], text, signature):
                self.wrong(size, f"the checkpoint of {size} records does not have its signature")
            else:
                out.append(checkpoint)
        return out


class Chain:
    def __init__(self, checkpoints):
        self.checkpoints, self.at, self.sealed = checkpoints, 0, 0
        self.merkle, self.head = Merkle(), GENESIS
        self.suspicion = self.finding = None

    def examine(self, line):
        """(text of the record, what is wrong)"""
        n, record = self.merkle.size, line.get("record")
        index = line.get("index")
        if line.get("kind") != "record" or type(index) is not int:
            return None, (n, "changed", f"record {n} was changed: its line is none of a record")
        if index != n:
            return None, (n, "deleted", f"record {n} was deleted: record {index} stands in its place")
        try:
            text = canonical(record).encode()
        except (ValueError, UnicodeEncodeError):
            return None, (n, "changed", f"record {n} was changed: it is not canonical")
        if not isinstance(record, dict) or "wrong_column" in line or sha256(text).hex() != line.get("hash"):
            return None, (n, "changed", f"record {n} was changed: it does not have its hash")
        if record.get("index") != n:
            return None, (n, "deleted", f"record {n} was deleted: record {record.get('index')} stands in its place")
        if record.get("previous") != self.head:
            return None, (max(0, n - 1), "changed", f"record {max(0, n - 1)} was changed: record {n} does not follow it")
        return text, None

    def accept(self, text, line):
        self.merkle.add(text)
        self.head, n = line["hash"], self.merkle.size
        while self.at < len(self.checkpoints) and self.checkpoints[self.at]["size"] == n:
            checkpoint = self.checkpoints[self.at]
            self.at += 1
            if checkpoint["head"] == self.head and checkpoint["root"] == self.merkle.root():
                self.sealed = self.sealed if self.suspicion else n
            elif not self.suspicion:
                self.suspicion = (self.sealed, "rewritten", f"records {self.sealed} to {n - 1} are not those that the "
                                                            f"checkpoint of {n} records sealed")

    def look_for_missing(self, line):
        index, problem, _ = self.finding
        record = line.get("record")
        found = record.get("index") if isinstance(record, dict) else line.get("index")
        if problem == "deleted" and found == index:
            self.finding = (index, "reordered", f"record {index} was moved: it stands behind later ones")

    def add(self, line):
        if self.finding:
            return self.look_for_missing(line)
        text, found = self.examine(line)
        if self.suspicion:
            exact = found and found[:2] == (self.merkle.size - 1, "changed")
            self.finding = found if exact else self.suspicion
        elif found:
            self.finding = found
            self.look_for_missing(line)
        else:
            self.accept(text, line)

    def finish(self):
        self.finding = self.finding or self.suspicion
        n = self.merkle.size
        if not self.finding and self.at < len(self.checkpoints):
            size = self.checkpoints[-1]["size"]
            self.finding = (n, "truncated", f"records {n} to {size - 1} are missing: the log was truncated before the "
                                            f"checkpoint of {size} records")
        return self.finding


def included(record, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    node, last, tree = index, size - 1, sha256(b"\0" + record)
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            tree = sha256(b"\1" + bytes.fromhex(sibling) + tree)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            tree = sha256(b"\1" + tree + bytes.fromhex(sibling))
        node, last = node >> 1, last >> 1
    return last == 0 and 0 <= index < size and tree.hex() == root


def verify_proof(path, folders):
    """(finding, record): whether the proof's checkpoint is signed and covers the record."""
    keys = Keys()
    checkpoints = Checkpoints(keys)
    for folder in folders:
        read_folder(folder, keys, Checkpoints(keys))
    with open(path, encoding="utf-8") as file:
        proof = parse_object(file.read()) or {}
    if "record" not in proof:
        raise NoExport("no proof")
    checkpoints.add(proof, path)
    right, record = checkpoints.right(), proof.get("record")
    try:
        proven = right and record["index"] == proof["index"] and included(
            canonical(record).encode(), proof["index"], right[0]["size"], proof["path"], right[0]["root"])
    except (KeyError, TypeError, ValueError) as error:
        raise NoExport(f"no proof: {error}") from error
    return checkpoints.finding or (None if proven else (proof["index"], "changed", "the record is not in the tree")), record


def read_folder(folder, keys, checkpoints):
    for path in sorted(glob.glob(os.path.join(folder, "*.pem"))):
        with open(path, encoding="utf-8") as file:
            keys.add(file.read())
    for path in sorted(glob.glob(os.path.join(folder, "*.jsonl"))):
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for number, text in enumerate(file, 1):
                # An end without a newline is what a crash left.
                if text.endswith("\n"):
                    checkpoints.add(parse_object(text), f"{path}:{number}")


def verify(path, folders):
    keys = Keys()
    checkpoints = Checkpoints(keys)
    for folder in folders:
        read_folder(folder, keys, checkpoints)
    chain, begun, unreadable = None, False, 0
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for number, text in enumerate(file, 1):
            line = parse_object(text) or {}
            kind = line.get("kind")
            if not text.endswith("\n"):
                continue
            if chain is None and kind != "record":
                known = kind in ("key", "checkpoint")
                if unreadable if known else not begun:
                    raise NoExport(f"line {number}: no export")
                begun, unreadable = True, unreadable + (not known)
                if kind == "key" and not folders:
                    keys.add(str(line.get("public_key")))
                elif kind == "checkpoint":
                    checkpoints.add(line, f"line {number}")
                continue
            if chain is None:
                chain = Chain(checkpoints.right())
                for _ in range(unreadable):
                    chain.add({})
            chain.add(line)
    chain = chain or Chain(checkpoints.right())
    finding = chain.finish() or checkpoints.finding
    return finding, chain


def main():
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("export")
    arguments.add_argument("--checkpoints", action="append", default=[], metavar="FOLDER")
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--proof", action="store_true")
    given = arguments.parse_args()
    try:
        if given.proof:
            finding, record = verify_proof(given.export, given.checkpoints)
            print(f"wrong: {finding[2]}" if finding else f"proven: {canonical(record)}")
            return 1 if finding else 0
        finding, chain = verify(given.export, given.checkpoints)
    except (NoExport, OSError) as error:
        print(f"{given.export}: {error}", file=sys.stderr)
        return 2
    verdict = {"ok": not finding, "records": chain.merkle.size, "sealed": chain.sealed, "head": chain.head}
    if finding:
        verdict.update(zip(("index", "problem", "message"), finding))
    if given.json:
        print(json.dumps(verdict))
    else:
        print(f"wrong: {finding[2]}" if finding else f"whole: {chain.merkle.size} records, {chain.sealed} of them sealed")
    return 1 if finding else 0


if __name__ == "__main__":
    sys.exit(main())
