"""A task that the default model fails and learns quickly: dates in another spelling."""
import json
import random

MONTHS = "January February March April May June July August September October November December".split()


def dates(count, seed):
    """Different pairs like ("March 5, 1987", "1987-03-05")."""
    draw = random.Random(seed)
    found = {}
    while len(found) < count:
        month, day, year = draw.randrange(12), draw.randrange(1, 29), draw.randrange(1900, 2100)
        found[f"{MONTHS[month]} {day}, {year}"] = f"{year}-{month + 1:02d}-{day:02d}"
    return list(found.items())


def chats(pairs):
    """As a file of examples."""
    return "".join(json.dumps({"messages": [{"role": "user", "content": question},
                                            {"role": "assistant", "content": answer}]}) + "\n" for question, answer in pairs)
