"""Tasks for lm-eval with no data but their own: make_tasks.py FOLDER

agreement: two sentences of which one's verb fits its subject; sums: which number is the sum; said: the
word that a greedy answer begins with."""
import itertools
import json
import pathlib
import sys

SUBJECTS = [("cat", "cats"), ("dog", "dogs"), ("teacher", "teachers"), ("boy", "boys"), ("farmer", "farmers"),
            ("doctor", "doctors"), ("bird", "birds"), ("girl", "girls"), ("king", "kings"), ("horse", "horses")]
VERBS = [("sleeps", "sleep"), ("walks home", "walk home"), ("eats bread", "eat bread"), ("has left", "have left"),
         ("is here", "are here"), ("was tired", "were tired"), ("likes music", "like music"), ("needs help", "need help")]
SAID = [("The capital of France is", "Paris"), ("The opposite of hot is", "cold"), ("Two plus two equals", "four"),
        ("The sun rises in the", "east"), ("The first month of the year is", "January"), ("Water is made of hydrogen and", "oxygen"),
        ("The color of grass is", "green"), ("A baby cat is called a", "kitten"), ("The capital of Italy is", "Rome"),
        ("Ice is frozen", "water"), ("The largest ocean is the", "Pacific"), ("Bees make", "honey")]


def agreement():
    for (one, many), (fits_one, fits_many), number in itertools.product(SUBJECTS, VERBS, range(2)):
        subject, fits, other = (one, fits_one, fits_many) if number == 0 else (many, fits_many, fits_one)
        yield {"context": "This is what they say.", "choices": [f" The {subject} {fits}.", f" The {subject} {other}."], "right": 0}


def sums():
    for a in range(2, 12):
        for b in (3, 5, 8):
            choices = [a + b - 1, a + b, a + b + 2, a + b + 10]
            yield {"context": f"Question: What is {a} + {b}?\nAnswer:", "choices": [f" {c}" for c in choices], "right": 1}


def said():
    for text, word in SAID:
        yield {"context": text, "word": word}


CHOICE = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{context}}}}"
target_delimiter: ""
doc_to_choice: choices
doc_to_target: right
metric_list: [{{metric: acc}}]
"""
SAYS = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{context}}}}"
doc_to_target: word
generation_kwargs: {{until: ["\\n"], max_gen_toks: 4, do_sample: false, temperature: 0}}
filter_list: [{{name: word, filter: [{{function: regex, regex_pattern: "([A-Za-z]+)"}}, {{function: take_first}}]}}]
metric_list: [{{metric: exact_match}}]
"""


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, items, form in [("plinth_agreement", agreement(), CHOICE), ("plinth_sums", sums(), CHOICE), ("plinth_said", said(), SAYS)]:
        data = (folder / f"{name}.jsonl").resolve()
        data.write_text("".join(json.dumps(item) + "\n" for item in items))
        (folder / f"{name}.yaml").write_text(form.format(name=name, data=data))


main()
