"""Evaluations as tables of text: for the terminal, a paper (LaTeX) or a program (JSON)."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from annotator.metrics.bootstrap import Interval, MeanSd
from annotator.metrics.evaluate import Evaluation, Summary

UNKNOWN = "unknown"
TITLES = {
    "accuracy": "Accuracy (Jaccard)",
    "precision": "Precision",
    "recall": "Recall",
    "micro_f1": "mi-F1",
    "macro_f1": "ma-F1",
    "f1": "F1",
    "average_precision": "AP",
    "mean_average_precision": "mAP",
    "uar": "UAR",
    "sample_precision": "Sample precision",
    "sample_recall": "Sample recall",
    "ece": "ECE",
    "ece_mass": "ECE (equal mass)",
    "brier": "Brier",
    "log_loss": "Log-loss",
    "risk": "Risk (1 − Jaccard)",
    "aurc_variance": "AURC by variance",
    "excess_aurc_variance": "Excess AURC by variance",
    "augrc_variance": "AUGRC by variance",
    "excess_augrc_variance": "Excess AUGRC by variance",
    "aurc_entropy": "AURC by entropy",
    "excess_aurc_entropy": "Excess AURC by entropy",
    "augrc_entropy": "AUGRC by entropy",
    "excess_augrc_entropy": "Excess AUGRC by entropy",
    "sigma_error": "ρ(σ, |error|)",
    "sigma_error_visual": "ρ(σ, |error|) visual",
    "sigma_error_audio": "ρ(σ, |error|) audio",
    "sigma_error_text": "ρ(σ, |error|) text",
    "sigma_votes": "ρ(σ, vote entropy)",
    "sigma_votes_visual": "ρ(σ, vote entropy) visual",
    "sigma_votes_audio": "ρ(σ, vote entropy) audio",
    "sigma_votes_text": "ρ(σ, vote entropy) text",
}

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: "\\" + sign for sign in "&%$#_{}"},
        "|": "$|$",
        "±": r"$\pm$",
        "−": "$-$",
        "ρ": r"$\rho$",
        "σ": r"$\sigma$",
        "\n": " ",
    }
)

Result = Evaluation | Summary


@dataclass(frozen=True, slots=True)
class Table:
    """Cells of text; every row is as long as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def turned(self) -> "Table":
        """Rows as columns.

        >>> Table(("", "a", "b"), (("x", "1", "2"),)).turned()
        Table(header=('', 'x'), rows=(('a', '1'), ('b', '2')))
        """
        header, *rows = zip(self.header, *self.rows, strict=True)
        return Table(header, tuple(rows))


def metric_table(results: Mapping[str, Result]) -> Table:
    """One row a metric, one column a result, by the names given."""
    names = dict.fromkeys(name for result in results.values() for name in result.metrics)
    rows = (
        (TITLES[name], *(cell(result.metrics.get(name)) for result in results.values()))
        for name in names
    )
    return Table(("", *results), tuple(rows))


def label_table(result: Result) -> Table:
    """One row a label, one column a metric."""
    rows = (
        (label, *(cell(by_label[label]) for by_label in result.per_label.values()))
        for label in result.labels
    )
    return Table(("", *(TITLES[name] for name in result.per_label)), tuple(rows))


def cell(number: Interval | MeanSd | None) -> str:
    """A value with its interval or deviation, to three places.

    >>> cell(Interval(0.5812, 0.5601, 0.6)), cell(MeanSd(0.5812, 0.004)), cell(None)
    ('0.581 [0.560, 0.600]', '0.581 ± 0.004', 'unknown')
    """
    if number is None:
        return UNKNOWN
    if isinstance(number, Interval):
        value, spread = number.value, f" [{number.low:.3f}, {number.high:.3f}]"
        known = not math.isnan(number.low)
    else:
        value, spread = number.mean, f" ± {number.sd:.3f}"
        known = not math.isnan(number.sd)
    if math.isnan(value):
        return UNKNOWN
    return f"{value:.3f}" + (spread if known else "")


def latex(table: Table) -> str:
    r"""A `tabular` for the booktabs package.

    >>> print(latex(Table(("", "R&D"), (("mi-F1", "0.581 ± 0.004"),))))
    \begin{tabular}{lr}
    \toprule
     & R\&D \\
    \midrule
    mi-F1 & 0.581 $\pm$ 0.004 \\
    \bottomrule
    \end{tabular}
    """
    lines = [_line(row) for row in (table.header, *table.rows)]
    columns = "l" + "r" * (len(table.header) - 1)
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def escape(text: str) -> str:
    r"""Text as LaTeX prints it.

    >>> print(escape("50% of_all"))
    50\% of\_all
    """
    return text.translate(_ESCAPES)


def _line(row: tuple[str, ...]) -> str:
    text = " & ".join(map(escape, row)) + r" \\"
    # After a line's end LaTeX would read [ or * as its argument.
    return "{}" + text if text.startswith(("[", "*")) else text


def as_json(results: Mapping[str, Result]) -> str:
    """All numbers of all results, unrounded; unknown is null."""
    plain = {name: result.to_json() for name, result in results.items()}
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)
