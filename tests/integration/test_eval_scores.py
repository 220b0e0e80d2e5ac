# SPDX-License-Identifier: GPL-3.0-or-later
"""`descry eval --results` against an independent implementation in NumPy.

The definitions are written here a second time from the papers and the COCO
evaluation's conventions, by tables over the whole vocabulary of n-grams rather
than by merging sorted lists as the C code does. Captions are random sentences
from a small grammar, so that n-grams repeat; some are empty of matches, some
equal to a reference. Prints TAP.
"""
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DESCRY = os.path.join(ROOT, os.environ.get("BUILD", "build/x86_64"), "descry")
number = 0
bad = 0


def check(good, name, detail=""):
    """One line of TAP."""
    global number, bad
    number += 1
    if not good:
        bad = 1
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    if not good and detail:
        print(f"# {detail}")


def tokenise(caption):
    """The rule of engine/lab/tokenizer.h, for ASCII."""
    caption = caption.lower().replace("n't", " not").replace("'s", " 's ")
    caption = re.sub(r"[^a-z0-9' ]", " ", caption)
    words = [w if w == "'s" else w.strip("'") for w in caption.split()]
    return [w for w in words if w]


def grams(words, n):
    """Counts of the n-grams as a dictionary."""
    counts = {}
    for i in range(len(words) - n + 1):
        key = tuple(words[i:i + n])
        counts[key] = counts.get(key, 0) + 1
    return counts


def bleu(candidates, references):
    """Corpus BLEU-1 to 4."""
    correct, guessed = np.zeros(4), np.zeros(4)
    length = reference_length = 0
    for candidate, others in zip(candidates, references):
        length += len(candidate)
        reference_length += min((abs(len(r) - len(candidate)), len(r)) for r in others)[1]
        for n in range(1, 5):
            guessed[n - 1] += max(0, len(candidate) - n + 1)
            for key, count in grams(candidate, n).items():
                correct[n - 1] += min(count, max(grams(r, n).get(key, 0) for r in others))
    precision = (correct + 1e-15) / (guessed + 1e-9)
    ratio = (length + 1e-15) / (reference_length + 1e-9)
    penalty = math.exp(1 - 1 / ratio) if ratio < 1 else 1
    return [float(np.prod(precision[:n]) ** (1 / n)) * penalty for n in range(1, 5)]


def subsequence(a, b):
    """Length of the longest common subsequence, by the whole table."""
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else max(table[i, j + 1], table[i + 1, j])
    return int(table[-1, -1])


def rouge(candidates, references):
    """Mean ROUGE-L, beta 1.2."""
    scores = []
    for candidate, others in zip(candidates, references):
        common = [subsequence(candidate, r) for r in others]
        precision = max(c / len(candidate) if candidate else 0 for c in common)
        recall = max(c / len(r) for c, r in zip(common, others))
        both = precision > 0 and recall > 0
        scores.append(2.44 * precision * recall / (recall + 1.44 * precision) if both else 0)
    return float(np.mean(scores))


def cider(candidates, references):
    """CIDEr-D of each caption, by dense tf-idf vectors."""
    result = np.zeros(len(candidates))
    for n in range(1, 5):
        keys = {}
        for sentences in references + [candidates]:
            for sentence in sentences:
                for key in grams(sentence, n):
                    keys.setdefault(key, len(keys))
        documents = np.zeros(len(keys))
        for others in references:
            for key in set().union(*[grams(r, n) for r in others]):
                documents[keys[key]] += 1
        weight = math.log(len(references)) - np.log(np.maximum(documents, 1))

        def vector(sentence):
            value = np.zeros(len(keys))
            for key, count in grams(sentence, n).items():
                value[keys[key]] = count
            return value * weight

        for i, (candidate, others) in enumerate(zip(candidates, references)):
            a = vector(candidate)
            total = 0
            for reference in others:
                b = vector(reference)
                norms = np.linalg.norm(a) * np.linalg.norm(b)
                pairs = [sum(grams(s, 2).values()) for s in (candidate, reference)]
                if norms > 0:
                    total += (np.minimum(a, b) @ b / norms *
                              math.exp(-(pairs[0] - pairs[1]) ** 2 / (2 * 6.0 ** 2)))
            result[i] += 10 * total / len(others) / 4
    return result


def sentence(rng):
    """A random caption with the marks that tokenisation must deal with."""
    subject = rng.choice(["a man", "two dogs", "the boy's dog", "A woman", "a cat"])
    verb = rng.choice(["is running", "sits", "isn't moving", "runs and runs", "plays"])
    place = rng.choice(["on the grass.", "in a park, near a tree", "with a red ball!", "", "by the sea"])
    return f"{subject} {verb} {place}".strip()


def make(folder, seed, count):
    """A caption file, results, and the tokenised lists."""
    rng = random.Random(seed)
    images, annotations, results, candidates, references, sources = [], [], [], [], [], []
    for i in range(count):
        captions = [sentence(rng) for _ in range(rng.randint(1, 5))]
        said = rng.choice(captions) if rng.random() < 0.2 else sentence(rng)
        source = rng.choice(["first", "second"])
        images.append({"id": 100 + i, "file_name": f"{i}.jpg", "source": source})
        annotations += [{"id": len(annotations) + k, "image_id": 100 + i, "caption": c}
                        for k, c in enumerate(captions)]
        results.append({"image_id": 100 + i, "caption": said})
        candidates.append(tokenise(said))
        references.append([tokenise(c) for c in captions])
        sources.append(source)
    rng.shuffle(results)
    with open(os.path.join(folder, "captions.json"), "w", encoding="utf-8") as file:
        json.dump({"images": images, "annotations": annotations}, file)
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file)
    return candidates, references, sources


def evaluate(folder):
    """What descry says of the files."""
    output = subprocess.run([DESCRY, "eval", "--json", "--list", "--captions",
                             os.path.join(folder, "captions.json"), "--results",
                             os.path.join(folder, "results.json")],
                            check=True, stdout=subprocess.PIPE, timeout=60).stdout
    return json.loads(output)


def near(a, b):
    """Equal to nine digits."""
    return np.allclose(a, b, rtol=1e-9, atol=1e-12)


def compare(scores, candidates, references, name):
    """The four scores of one source."""
    expected = bleu(candidates, references)
    check(near(scores["bleu"], expected), f"BLEU of {name}", f"{scores['bleu']} not {expected}")
    expected = rouge(candidates, references)
    check(near(scores["rouge_l"], expected), f"ROUGE-L of {name}", f"{scores['rouge_l']} not {expected}")
    expected = float(np.mean(cider(candidates, references)))
    check(near(scores["cider_d"], expected), f"CIDEr-D of {name}", f"{scores['cider_d']} not {expected}")
    words = [w for c in candidates for w in c]
    pairs = [p for c in candidates for p in zip(c, c[1:])]
    check(near(scores["distinct"], [len(set(words)) / len(words), len(set(pairs)) / len(pairs)]) and
          scores["vocabulary_used"] == len(set(words)) and
          near(scores["mean_length"], len(words) / len(candidates)), f"variety of {name}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        for seed, count in ((1, 3), (2, 40), (3, 300)):
            candidates, references, sources = make(folder, seed, count)
            report = evaluate(folder)
            compare(report, candidates, references, f"{count} photos")
            for scores in report["sources"]:
                chosen = [i for i in range(count) if sources[i] == scores["source"]]
                compare(scores, [candidates[i] for i in chosen], [references[i] for i in chosen],
                        f"{count} photos, source {scores['source']}")
        by_id = {c["image_id"]: c["cider_d"] for c in report["captions"]}
        for source in ("first", "second"):
            chosen = [i for i in range(count) if sources[i] == source]
            expected = cider([candidates[i] for i in chosen], [references[i] for i in chosen])
            check(near([by_id[100 + i] for i in chosen], expected), f"CIDEr-D of each caption of {source}")
        with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as file:
            json.dump([{"image_id": 5, "caption": "a dog"}], file)
        done = subprocess.run([DESCRY, "eval", "--captions", os.path.join(folder, "captions.json"),
                               "--results", os.path.join(folder, "results.json")],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        check(done.returncode != 0 and b"image_id 5" in done.stderr, "an unknown photo is an error")
    print(f"1..{number}")
    sys.exit(bad)


main()
