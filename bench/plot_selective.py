# SPDX-License-Identifier: Apache-2.0
"""selective.csv of bench_selective as a picture: precision of what was inspected and of the highest twentieth of all rows over the
weeks, means of the seeds smoothed over 8 weeks. usage: plot_selective.py selective.csv OUT.png; exit 77 without matplotlib."""
import collections
import csv
import sys

try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    print("SKIP: matplotlib is not installed")
    sys.exit(77)

SMOOTH = 8
sums = collections.defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    for row in csv.DictReader(file):
        cell = sums[row["inspected_share"], row["strategy"], int(row["week"])]
        cell[0] += float(row["found"])
        cell[1] += float(row["inspected"])
        cell[2] += float(row["top_5"])
        cell[3] += 1
budgets = list(dict.fromkeys(key[0] for key in sums))
strategies = list(dict.fromkeys(key[1] for key in sums))
figure, axes = pyplot.subplots(2, len(budgets), figsize=(5 * len(budgets), 8), sharex=True, sharey="row", squeeze=False)
for column, budget in enumerate(budgets):
    for number, strategy in enumerate(strategies):
        weeks = sorted(key[2] for key in sums if key[:2] == (budget, strategy))
        for line, (over, under) in enumerate(((0, 1), (2, 3))):
            values = []
            for at in range(len(weeks)):
                window = [sums[budget, strategy, week] for week in weeks[max(0, at - SMOOTH + 1): at + 1]]
                values.append(sum(cell[over] for cell in window) / max(1e-9, sum(cell[under] for cell in window)))
            axes[line][column].plot(weeks, values, label=strategy, color=pyplot.get_cmap("tab20")(number), linewidth=2 if "exploit" in strategy else 1,
                                    linestyle="-" if "exploit" in strategy else "--")
    axes[0][column].set_title(f"{float(budget):.0%} inspected")
    axes[1][column].set_xlabel("week")
    for line in (0, 1):
        axes[line][column].grid(alpha=0.3)
axes[0][0].set_ylabel("finds among the inspected")
axes[1][0].set_ylabel("finds among the highest 5% of all rows")
axes[0][0].legend(fontsize=7, loc="upper left")
figure.tight_layout()
figure.savefig(sys.argv[2], dpi=80, metadata={"Software": None})
