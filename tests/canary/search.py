"""Whether a text is somewhere in files, however it was written down."""
import base64
import os
import urllib.parse


def forms(text):
    """`text`, which is ASCII, as logs, databases and protocols write texts."""
    raw = text.encode()
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), text.encode("utf-16-le"), text.encode("utf-16-be"),
             "".join(f"\\u{byte:04x}" for byte in raw).encode(), "".join(f"\\x{byte:02x}" for byte in raw).encode(),
             "".join(f"%{byte:02x}" for byte in raw).encode(), "".join(f"%{byte:02X}" for byte in raw).encode(),
             urllib.parse.quote(text, safe="").encode(), raw[::-1]}
    # Whatever stands before and after it: what is the same in every base64 of such a text.
    for before in range(3):
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            coded = alphabet(b"\0" * before + raw)
            found.add(coded[(before * 8 + 5) // 6:(before + len(raw)) * 8 // 6])
    return found


def files_below(*folders):
    for folder in folders:
        for path, _, names in os.walk(folder, onerror=refuse):
            for name in names:
                yield os.path.join(path, name)


def refuse(error):
    raise error


def search(texts, *folders, since=0.0):
    """[(file, text)] of those that hold one; every file is read, but for those that nobody touched after `since`."""
    wanted = [(form, text) for text in texts for form in forms(text)]
    found = []
    for path in files_below(*folders):
        if not os.path.isfile(path) or os.stat(path).st_ctime < since:
            continue
        with open(path, "rb") as file:
            content = file.read()
        found += [(path, text) for form, text in wanted if form in content or form in path.encode()]
    return found
