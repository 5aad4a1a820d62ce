#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Flow test of referrals that wait too long: an alarm in health, metrics, diag and the queue; a deadline that ends what nobody has
claimed, once, and nothing that somebody has."""
import sys

from policy import declare, load, rewrite
from port import PATIENCE, SOURCE, Failure, Port, must

EVERYTHING = {"initial_cutoff": 0.0, "minimum_probability": 0.0, "hold_s": 0.2, "capacity_per_hour": 36000}


def await_ticks(port, more):
    """The next ticks, whole: when one stands in the log the one before it has done all it does."""
    wanted = len(port.entries("time.tick")) + more + 1
    port.await_that(lambda: len(port.entries("time.tick")) >= wanted, "no ticks")


def expired(port):
    return [entry for entry in port.entries("officer.action") if entry["action"] == "expire"]


def expect_alarm(port):
    queue = port.ctl_json("queue", "--limit", "1000")
    must(len(queue) > 5, f"{len(queue)} referrals are too few for this test")
    port.await_that(lambda: port.health()["referrals_overdue"] == len(queue), "no alarm, or another one")
    health = port.health()
    places = {(row["site"], row["mode"]) for row in queue}
    must({(place["site"], place["mode"]) for place in health["overdue"]} <= places and
         sum(place["count"] for place in health["overdue"]) == len(queue) and
         all(place["oldest_h"] > 0.0001 for place in health["overdue"]), f"{health['overdue']}")
    must(health["well"], "a daemon is not unwell because nobody examines")
    must(port.metrics()["triaged_referrals_overdue"] == len(queue), "the gauge does not tell it")
    must(f"Overdue: {len(queue)} open" in port.ctl("queue").stdout, port.ctl("queue").stdout[-400:])
    must(len([line for line in port.daemon_log().splitlines() if "event=ageing" in line]) == 1,
         "the alarm was not told once when it rose")
    must(not expired(port), "something expired without a deadline")
    return queue


def expect_deadline(port, queue):
    """The claimed one stays; all others end, each once; a deadline that comes again finds nothing."""
    port.ctl("claim", queue[0]["item"])
    rewrite(port, "a-2", deadline_h=0.0003, alarm_h=0.0001, **EVERYTHING)
    load(port, "nobody may be held for longer than a second")
    port.await_that(lambda: len(expired(port)) >= len(queue) - 1, "not everything expired")
    await_ticks(port, 2)
    entries = expired(port)
    must(sorted(entry["item"] for entry in entries) == sorted(row["item"] for row in queue[1:]), f"{entries}")
    decisions = {entry["item"]: entry["id"] for entry in port.entries("referral.decision")}
    for entry in entries:
        must(entry["actor"] == "daemon" and entry["code"] == "deadline" and entry["to_state"] == "expired" and
             int(entry["version"]) == 2 and decisions[entry["item"]] in str(entry), f"{entry}")
    must([row["item"] for row in port.ctl_json("queue")] == [queue[0]["item"]], "the claimed one is not all that is left")
    must(port.health()["referrals_overdue"] == 1, "a claimed referral is open, and told of")
    late = port.ctl("claim", queue[1]["item"], check=False)
    must(late.returncode == 1 and "expired" in late.stderr, late.stderr)
    port.ctl("outcome", queue[0]["item"], "--level", "full", "--result", "nothing_found")
    port.await_that(lambda: port.health()["referrals_overdue"] == 0, "the alarm does not end")
    must(port.metrics()["triaged_referrals_expired_total"] == len(queue) - 1, "the counter of expired referrals")
    must("Overdue" not in port.ctl("queue").stdout, "the queue tells of an alarm that is over")


def expect_figures(port, count):
    gaps = port.ctl_json("report", "gaps", "--metrics", SOURCE / "config" / "metrics")
    rows = gaps["metrics"][0]["rows"] if isinstance(gaps, dict) else gaps[0]["rows"]
    must(sum(row["numerator"] for row in rows) == count - 1 and sum(row["denominator"] for row in rows) == count, f"{rows}")
    told = port.state("SELECT sum(state = 'expired'), count(*) FROM referrals")[0]
    must(told == (count - 1, count), f"{told}")


def main():
    with Port(oversight__tick_s=1.0) as port:
        rewrite(port, "a-x", deadline_h=-1.0, **EVERYTHING)
        port.start(wait=False)
        must(port.daemon.wait(PATIENCE) != 0 and "deadline_h is out of range" in port.daemon_log(), port.daemon_log())
        (port.directory / "daemon-1.log").write_text("")
        rewrite(port, "a-1", alarm_h=0.0001, **EVERYTHING)
        port.start()
        declare(port, 20, 31)
        queue = expect_alarm(port)
        expect_deadline(port, queue)
        expect_figures(port, len(queue))
        port.stop()
        verdict = port.verify()
        must(verdict["good"], f"{verdict}")
        rows = port.state("SELECT * FROM referrals ORDER BY item")
        (port.store / "state.db").unlink()
        port.start()
        await_ticks(port, 1)
        must(port.state("SELECT * FROM referrals ORDER BY item") == rows, "the read model is another one after a rebuild")
        must(len(expired(port)) == len(queue) - 1, "something expired again after a restart")
        port.stop()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(str(failure))
