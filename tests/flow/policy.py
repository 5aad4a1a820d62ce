#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flow test of policies put in force at run time: who and why, shadow mode, kill switch, a bound of the queue that is counted,
the arm hidden from officers, referrals by hand, and what every tick tells of cut-off and cost."""
import json
import re
import sys

from port import BIN, SOURCE, Failure, Port, must, run


def rewrite(port, version, **changes):
    """The policy file with another version and these keys of every mode changed; names with a leading _ are of the whole."""
    text = (SOURCE / "config" / "demo_policy.conf").read_text()
    text = re.sub(r'^version = .*$', f'version = "{version}";', text, flags=re.M)
    for key, value in changes.items():
        word = json.dumps(value) if isinstance(value, (str, bool)) else repr(float(value))
        if key.startswith("_"):
            text += f"\n{key[1:]} = {word};\n"
        elif re.search(rf"^    {key} = ", text, flags=re.M):
            text = re.sub(rf"^    {key} = [^;]*;", f"    {key} = {word};", text, flags=re.M)
        else:
            text = text.replace("    unscorable = ", f"    {key} = {word};\n    unscorable = ")
    (port.directory / "policy.conf").write_text(text)


def load(port, reason="because", check=True):
    return port.ctl("policy", "load", "--reason", reason, "--actor", "grace", check=check)


def declare(port, count, seed):
    summary = port.feed("sim", "--count", str(count), "--seed", str(seed), "--modes", "mail", "--declarations-per-scan",
                        "1000000", stream=f"s{seed}")
    must(summary["refused"] == 0 and summary["waiting"] == 0, f"not everything was taken: {summary}")
    port.await_judged()


def decisions(port, policy_change):
    """Decisions behind this config.change."""
    return [entry for entry in port.entries("referral.decision") if int(entry["n"]) > int(policy_change["n"])]


def by_target(entries):
    return [entry for entry in entries if entry["arm"] in ("target", "both")]


def expect_load(port):
    rewrite(port, "p-2", initial_cutoff=0.0, minimum_probability=0.0, hold_s=0.2)
    missing = port.ctl("policy", "load", check=False)
    must(missing.returncode == 2, "a policy was loaded without a reason")
    done = load(port, "a quiet week")
    change = port.entries("config.change")[-1]
    must(f"entry {change['n']}" in done.stdout, done.stdout)
    must(change["policy_version"] == "p-2" and change["reason"] == "a quiet week" and change["target"] == "on" and
         change["arm_hidden"] is False and change["actor"] not in ("daemon", "grace"), f"{change}")
    commits = [entry for entry in port.entries("draw.commit") if int(entry["n"]) > int(change["n"])]
    must(len(commits) == 2, f"the rates were not committed again: {commits}")
    again = load(port, check=False)
    must(again.returncode == 1 and "in force already" in again.stderr, again.stderr)
    rewrite(port, "p-2", severity=0.5)
    same = load(port, check=False)
    must(same.returncode == 1 and "another version" in same.stderr, same.stderr)
    rewrite(port, "p-x", random_rate=7.0)
    bad = load(port, check=False)
    must(bad.returncode == 1 and "random_rate is out of range" in bad.stderr, bad.stderr)
    for name in ("random_rates", "exams"):
        rewrite(port, "p-x", **{f"_{name}": 0.05})
        bad = load(port, check=False)
        must(bad.returncode == 1 and f"{name} must be a list" in bad.stderr, f"{name} that is no list: {bad.stdout}{bad.stderr}")
    must(port.entries("config.change")[-1]["n"] == change["n"], "a policy with a fault was logged")
    declare(port, 30, 21)
    must(by_target(decisions(port, change)), "the target arm refers nothing at a cut-off of 0")


def expect_switches(port):
    """Shadow says what it would do; off does nothing; the coin goes on in both."""
    for version, target in (("p-3", "shadow"), ("p-4", "off")):
        rewrite(port, version, initial_cutoff=0.0, minimum_probability=0.0, hold_s=0.2, random_rate=0.3, _target=target)
        load(port, f"{target} for a trial")
        change = port.entries("config.change")[-1]
        must(change["target"] == target, f"{change}")
        declare(port, 40, 22 if target == "shadow" else 23)
        after = decisions(port, change)
        must(len(after) >= 40 and not by_target(after), f"{target}: the target arm refers")
        must(any(entry["arm"] == "random" for entry in after), f"{target}: the coin stands still")
        must(any(entry["shadow"] for entry in after) == (target == "shadow"), f"{target}: shadow")


def expect_bound(port):
    """Nobody examines: the queue is full and stays so, also over a restart; what is ended makes room."""
    open_now = len(port.ctl_json("queue", "--limit", "1000"))
    bound = open_now + 7
    rewrite(port, "p-5", initial_cutoff=0.0, minimum_probability=0.0, hold_s=0.2, random_rate=0.0, queue_max=bound,
            unscorable="release", capacity_per_hour=100000)
    load(port, "the yard is small")
    declare(port, 60, 24)
    queue = port.ctl_json("queue", "--limit", "1000")
    must(len(queue) == bound, f"{len(queue)} open referrals, {bound} may be and 60 wanted to")
    port.stop()
    port.start()
    declare(port, 30, 25)
    must(len(port.ctl_json("queue", "--limit", "1000")) == bound, "a restart forgot how full it was")
    for row in queue[:5]:
        port.ctl("release", row["item"], "--code", "capacity")
    declare(port, 30, 26)
    after = len(port.ctl_json("queue", "--limit", "1000"))
    must(after == bound, f"there was room of 5: {after} of {bound}")


def expect_ticks(port):
    def telling():
        places = [place for entry in port.entries("time.tick") for place in entry["capacity"]]
        return places if any(float(place["finds_lost"]) > 0 for place in places) else None
    ticks = port.await_that(telling, "no tick tells what was lost")
    decided = len(port.entries("referral.decision"))
    told = sum(int(place["items"]) for place in ticks)
    must(0 < told <= decided, f"ticks tell of {told} items, {decided} were decided")
    lost = [place for place in ticks if int(place["below"]) > 0]
    must(all(0 < float(place["finds_lost"]) <= int(place["below"]) for place in lost), f"{lost}")
    must(any(float(place["cutoff"]) == 1 for place in ticks), "no tick says that nothing fits")


def expect_hidden(port):
    item = port.ctl_json("queue")[0]
    must("score" in item and item["arm"] != "hidden", f"{item}")
    rewrite(port, "p-6", random_rate=0.3, hold_s=0.2, _hide_arm=True)
    load(port, "a blind month")
    must(port.entries("config.change")[-1]["arm_hidden"] is True, "the log does not say that the arm is hidden")
    for row in port.ctl_json("queue"):
        must(row["arm"] == "hidden" and not {"score", "propensity", "priority", "cutoff"} & set(row), f"{row}")
    must("hidden" in port.ctl("queue").stdout, "the table shows the arm")
    shown = port.ctl_json("show", item["item"])
    must(shown["decision"]["arm"] == "hidden" and "propensity" not in shown["decision"] and
         "draw" not in shown["decision"] and "probability" not in shown["score"] and
         all("logit" not in part for part in shown["contributions"]), f"{shown['decision']} {shown['score']}")
    must("hidden until the outcome" in port.ctl("show", item["item"]).stdout, "show tells the arm")
    port.ctl("claim", item["item"])
    must(port.ctl_json("show", item["item"])["decision"]["arm"] == "hidden", "a claim showed the arm")
    port.ctl("outcome", item["item"], "--level", "full", "--result", "nothing_found")
    shown = port.ctl_json("show", item["item"])
    must(shown["decision"]["arm"] != "hidden" and "probability" in shown["score"], f"{shown['decision']}")
    entry = [one for one in port.entries("referral.decision") if one["item"] == shown["item"]][-1]
    must(entry["arm"] == shown["decision"]["arm"], "the log and the officer do not see the same")


def expect_manual(port):
    gone = port.state("SELECT lower(hex(item)) FROM decisions WHERE decision = 'release' LIMIT 1")[0][0]
    missing = port.ctl("refer", gone, check=False)
    must(missing.returncode == 2, "a referral by hand without a reason")
    port.ctl("refer", gone, "--reason", "fresh paint on the floor", "--actor", "grace")
    action = port.entries("officer.action")[-1]
    must(action["action"] == "refer" and action["reason"] == "fresh paint on the floor" and
         action["to_state"] == "queued", f"{action}")
    arm = port.state(f"SELECT arm, state, version FROM referrals WHERE lower(hex(item)) = '{gone}'")
    must(arm == [("manual", "queued", 1)], f"{arm}")
    twice = port.ctl("refer", gone, "--reason", "again", check=False)
    must(twice.returncode == 1 and "referred already" in twice.stderr, twice.stderr)
    port.ctl("claim", gone)
    port.ctl("outcome", gone, "--level", "full", "--result", "nothing_found")
    must(port.state(f"SELECT arm FROM decisions WHERE lower(hex(item)) = '{gone}'") == [("none",)],
         "a referral by hand changed what the decision was")


def expect_request_ids(port):
    """The same id asked again is the same answer; for anything else it is refused and nothing is done."""
    def ask(request_id, order, about="-", actor="grace"):
        return run(BIN.parent / "tests" / "flow_ask", f"ipc://{port.store}/command.sock", request_id, actor, order, about).stdout
    first, second = (row[0] for row in port.state("SELECT lower(hex(item)) FROM decisions LIMIT 2"))
    one, two = (str(row[0]) for row in port.state("SELECT entry FROM records WHERE item IS NOT NULL ORDER BY entry LIMIT 2"))
    orders = (("h-1", "hold", first, (("h-1", "hold", second), ("h-1", "lift", first), ("h-1", "hold"),
                                      ("h-1", "hold", first, "ada"), ("h-1", "close", "o-1"), ("h-1", "policy"))),
              ("o-1", "register", "o-1", (("o-1", "close", "o-1"), ("o-1", "register", "o-1", "ada"), ("o-1", "register", "o-2"),
                                          ("o-1", "redact", one))),
              ("r-1", "redact", one, (("r-1", "redact", two), ("r-1", "redact", one, "ada"), ("r-1", "hold", first))))
    for *order, others in orders:
        done = ask(*order)
        must(done.startswith("done ") and ask(*order) == done, f"{order}: {done} {ask(*order)}")
        for other in others:
            must("another order" in ask(*other), f"{other} after {order}: {ask(*other)}")
    holds = port.state("SELECT lower(hex(item)) FROM holds")
    must(holds == [(first,)], f"{holds}")
    must(port.state("SELECT name FROM operations") == [("o-1",)] and len(port.entries("redact")) == 1, "done under another order's id")
    rewrite(port, "p-7", hold_s=0.2)
    done = ask("p-1", "policy")
    must(done.startswith("done ") and ask("p-1", "policy") == done, f"{done} {ask('p-1', 'policy')}")
    must("another order" in ask("p-1", "policy", "-", "ada"), "a policy of somebody else")
    must("in force already" in ask("p-2", "policy"), "another order for the same policy")
    must(len([1 for entry in port.entries("config.change") if entry["policy_version"] == "p-7"]) == 1, "put in force twice")


def main():
    with Port(oversight__tick_s=1.0) as port:
        port.start()
        declare(port, 20, 20)
        expect_load(port)
        expect_switches(port)
        expect_bound(port)
        expect_ticks(port)
        expect_hidden(port)
        expect_manual(port)
        expect_request_ids(port)
        port.stop()
        verdict = port.verify()
        must(verdict["good"], f"{verdict}")
        rows = port.state("SELECT * FROM referrals ORDER BY item")
        (port.store / "state.db").unlink()
        port.start()
        port.await_judged()
        must(port.state("SELECT * FROM referrals ORDER BY item") == rows, "the read model is another one after a rebuild")
        port.stop()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
