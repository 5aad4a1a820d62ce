#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tables as strangers have them: the same rows in another dress get the same scores, labels are never read, what comes
after the training period and whom nobody has seen gets a score, and what is wrong is said. Usage: tables.py <bin directory>
"""
import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile

LABELS = ("Fraud", "Critical Fraud")
PARTIES = ("Importer ID", "Seller ID", "Declarant ID", "Courier ID")


class Tool:
    def __init__(self, binaries, folder):
        self.binaries, self.folder, self.model = os.path.abspath(binaries), folder, None

    def run(self, *arguments, fails=False):
        done = subprocess.run([os.path.join(self.binaries, arguments[0]), *arguments[1:]], cwd=self.folder, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert (done.returncode == 1) == fails, (arguments, done.returncode, done.stdout[-300:], done.stderr[-300:])
        return done

    def score(self, table, *more, fails=False):
        """What was written, and what was said beside it."""
        done = self.run("triagectl", "model", "score", "--model", self.model, "--declarations", table, "--out", "-", *more,
                        fails=fails)
        return done.stdout, done.stderr

    def write(self, name, rows, ending="\n", before=b"", encoding="utf-8"):
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator=ending).writerows(rows)
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(before + text.getvalue().encode(encoding))
        return name


def without(rows, *columns):
    left = [at for at, name in enumerate(rows[0]) if name not in columns]
    return [[row[at] for at in left] for row in rows]


def changed(rows, change):
    return [rows[0]] + [change(dict(zip(rows[0], row))) for row in rows[1:]]


def same_rows_in_another_dress(tool, rows, draw):
    plain, _ = tool.score(tool.write("plain.csv", rows), "--details", "--reasons", "3")
    assert plain.count("\n") == len(rows), plain[:300]
    order = list(range(len(rows[0])))
    draw.shuffle(order)
    words = ["yes", "-1", "", "1e999", "\ufffd", "0,5", "9" * 400]
    labels = [(row[-2], row[-1]) for row in rows[1:]]
    draw.shuffle(labels)
    dresses = {
        "CRLF": tool.write("crlf.csv", rows, "\r\n"),
        "CR": tool.write("cr.csv", rows, "\r"),
        "byte order mark": tool.write("bom.csv", rows, before=b"\xef\xbb\xbf"),
        "other order": tool.write("order.csv", [[row[at] for at in order] for row in rows]),
        "more columns": tool.write("more.csv", [["Remark, free"] + rows[0] + [""]] +
                                   [['two\nlines, and a "quote"'] + row + [""] for row in rows[1:]]),
        "no labels": tool.write("none.csv", without(rows, *LABELS)),
        "others' labels": tool.write("others.csv", [rows[0]] + [row[:-2] + list(pair)
                                                               for row, pair in zip(rows[1:], labels)]),
        "garbled labels": tool.write("garbled.csv", changed(rows, lambda row: list(
            {**row, "Fraud": draw.choice(words), "Critical Fraud": draw.choice(words)}.values()))),
    }
    assert rows[0][-2:] == list(LABELS)
    for dress, table in dresses.items():
        assert tool.score(table, "--details", "--reasons", "3")[0] == plain, dress
    twice = [rows[0]] + rows[1:4] + rows[1:4] + [rows[3]]
    out, said = tool.score(tool.write("twice.csv", twice))
    lines = out.splitlines()[1:]
    assert lines[:3] == lines[3:6] and lines[6] == lines[5] and "1 rows have the declaration id" in said, out + said
    return plain


def later_days_and_strangers(tool, rows):
    """Days after the last that was learnt move nothing; names that nobody knows get a score between the others'."""
    later = changed(rows, lambda row: list({**row, "Date": "2041-02-03"}.values()))
    dated = [line.split(",")[:2] for line in tool.score("plain.csv")[0].splitlines()]
    assert [line.split(",")[:2] for line in tool.score(tool.write("later.csv", later))[0].splitlines()] == dated
    count = iter(range(10 ** 6))
    unseen = changed(rows, lambda row: list({**row, **{name: f"\u65b0{next(count)}" for name in PARTIES}}.values()))
    out, said = tool.score(tool.write("unseen.csv", unseen), "--reasons", "2")
    scores = [float(row["score"]) for row in csv.DictReader(io.StringIO(out))]
    known = [float(score) for _, score in dated[1:]]
    assert len(scores) == len(known) and all(0 < score < 1 for score in scores), out[:300]
    assert min(known) <= sum(scores) / len(scores) <= max(known) and scores != known
    assert f"{len(scores)} declarations scored; 0 rows could not be read whole" in said, said


def what_is_wrong_is_said(tool, rows):
    for column in rows[0]:
        if column in LABELS:
            continue
        table = tool.write("lacks.csv", without(rows, column))
        out, said = tool.score(table, fails=column == "Declaration ID")
        if column == "Declaration ID":
            assert 'the table has no column "Declaration ID"' in said, said
        else:
            assert out.count("\n") == len(rows) and f'no column "{column}": taken for empty in every row' in said, said
    only = without(rows, *[name for name in rows[0] if name != "Declaration ID"])
    assert "too many are missing" in tool.score(tool.write("only.csv", only), fails=True)[1]
    for name, before, encoding in (("le.csv", b"\xff\xfe", "utf-16-le"), ("be.csv", b"\xfe\xff", "utf-16-be")):
        assert "UTF-16" in tool.score(tool.write(name, rows, before=before, encoding=encoding), fails=True)[1]
    with open(os.path.join(tool.folder, "semi.csv"), "w") as file:
        file.writelines(";".join(row) + "\n" for row in rows)
    assert "delimiter" in tool.score("semi.csv", fails=True)[1]
    odd = {"Date": "2021-02-30", "Net Mass": "-4", "Item Price": "1e400", "Tax Rate": "8%", "Mode of Transport": "x"}
    for column, value in odd.items():
        broken = changed(rows[:3], lambda row: list({**row, column: value}.values()))
        out, said = tool.score(tool.write("odd.csv", broken), "--reasons", "1")
        assert all(column + ": " in line for line in out.splitlines()[1:]) and "2 rows could not" in said, out + said
    summary = tool.run("triagectl", "--json", "model", "score", "--model", tool.model, "--declarations", "odd.csv", "--out",
                       "odd.out")
    assert json.loads(summary.stdout) == {"declarations": 2, "faulty_rows": 2, "out": "odd.out"}, summary.stdout
    tool.run("triagectl", "--json", "model", "score", "--model", tool.model, "--declarations", "odd.csv", "--out", "-",
             fails=True)
    unclosed = "\n".join(",".join(row) for row in rows[:5]) + '\n"never closed,\n'
    with open(os.path.join(tool.folder, "unclosed.csv"), "w") as file:
        file.write(unclosed)
    assert "quote" in tool.score("unclosed.csv", fails=True)[1]
    tool.run("triagectl", "model", "train", "declarations", "--declarations", "none.csv", "--out", "m", fails=True)


def main():
    with tempfile.TemporaryDirectory(prefix="triage-tables-") as folder:
        tool = Tool(sys.argv[1], folder)
        tool.run("triage-feed", "sim", "--history=past.csv", "--count=3000", "--seed=11", "--history-factor=3")
        with open(os.path.join(folder, "past.csv"), newline="") as file:
            rows = list(csv.reader(file))
        tool.write("early.csv", rows[:2401])
        made = tool.run("triagectl", "--json", "model", "train", "declarations", "--declarations", "early.csv", "--out", "m")
        tool.model = json.loads(made.stdout)["path"]
        held_out = [rows[0]] + rows[2401:]
        assert min(row[1] for row in held_out[1:]) >= max(row[1] for row in rows[1:2401])
        same_rows_in_another_dress(tool, held_out, random.Random(3))
        later_days_and_strangers(tool, held_out)
        what_is_wrong_is_said(tool, held_out[:60])
        print(f"{len(held_out) - 1} rows held out")


if __name__ == "__main__":
    main()
