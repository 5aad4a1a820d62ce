# SPDX-License-Identifier: Apache-2.0
"""Compare kernels/statistics with scipy (and formulas written again here) on random inputs.

Usage: oracle_statistics.py PRINT_STATISTICS. Exit 77: skipped, scipy is missing.
"""
import math
import random
import subprocess
import sys

try:
    from scipy import special, stats
except ImportError as reason:
    print(f"SKIP: python3-scipy is missing ({reason})")
    sys.exit(77)

NAMES = ["wilson", "clopper-pearson", "jeffreys", "newcombe", "katz"]


def draw_case(rng):
    scale = rng.choice([10, 100, 5000, 200000])
    n1 = rng.randint(1, scale)
    n2 = rng.randint(1, min(scale, 5000))
    share = rng.choice([0.01, 0.2, 0.5, 0.97])
    x1 = rng.choice([0, n1, min(n1, int(n1 * share * 2 * rng.random()))])
    x2 = rng.choice([0, n2, min(n2, int(n2 * share * 2 * rng.random()))])
    a = math.exp(rng.uniform(-1, 10))
    b = math.exp(rng.uniform(-1, 10))
    mean = a / (a + b)
    x = min(max(rng.gauss(mean, 2 * math.sqrt(mean * (1 - mean) / (a + b))), 1e-6), 1 - 1e-6)
    return x1, n1, x2, n2, rng.choice([0.8, 0.95, 0.999]), a, b, x, rng.uniform(1e-9, 1)


def wilson(x, n, confidence):
    found = stats.binomtest(x, n).proportion_ci(confidence, method="wilson")
    return found.low, found.high


def expected_values(case):
    x1, n1, x2, n2, confidence, a, b, x, p = case
    tail = (1 - confidence) / 2
    exact = stats.binomtest(x1, n1).proportion_ci(confidence, method="exact")
    l1, u1 = wilson(x1, n1, confidence)
    l2, u2 = wilson(x2, n2, confidence)
    p1, p2 = x1 / n1, x2 / n2
    values = [l1, u1, exact.low, exact.high]
    values += list(stats.beta.ppf([tail, 1 - tail], x1 + 0.5, n1 - x1 + 0.5))
    values += [p1 - p2 - math.hypot(p1 - l1, u2 - p2), p1 - p2 + math.hypot(u1 - p1, p2 - l2)]
    if x1 > 0 and x2 > 0:
        half = stats.norm.ppf(1 - tail) * math.sqrt(1 / x1 - 1 / n1 + 1 / x2 - 1 / n2)
        values += [p1 / p2 * math.exp(-half), p1 / p2 * math.exp(half)]
    else:
        values += [math.nan, math.nan]
    values += [stats.fisher_exact([[x1, n1 - x1], [x2, n2 - x2]])[1]]
    values += [special.betainc(a, b, x), special.betaincinv(a, b, p), stats.norm.ppf(p)]
    return values


def agree(found, expected):
    if math.isnan(found) or math.isnan(expected):
        return math.isnan(found) and math.isnan(expected)
    return abs(found - expected) <= 1e-9 * max(1e-3, abs(expected))


def main():
    rng = random.Random(20240229)
    cases = [draw_case(rng) for _ in range(1500)]
    text = "".join(" ".join(repr(value) for value in case) + "\n" for case in cases)
    output = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True, check=True)
    lines = output.stdout.splitlines()
    names = [f"{name} {end}" for name in NAMES for end in ("lower", "upper")]
    names += ["fisher", "beta cdf", "beta quantile", "normal quantile"]
    assert len(lines) == len(cases), f"{len(lines)} answers to {len(cases)} cases"
    bad = 0
    for case, line in zip(cases, lines):
        found = [float(word) for word in line.split()]
        for name, one, other in zip(names, found, expected_values(case)):
            if not agree(one, other):
                bad += 1
                print(f"{name}: {one!r} but scipy says {other!r} for {case}")
    print(f"{len(cases)} cases, {len(names)} figures each, {bad} disagree")
    return 1 if bad else 0


sys.exit(main())
