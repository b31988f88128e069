"""What revenue tables let one say: the balance of a month, its largest movements, best and worst segment, definitions.

Each picks the row or the few figures that a sentence needs off a table of :mod:`cslib.revenue.movements` or
:mod:`cslib.revenue.spending`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from cslib.data.dataset import DataSet
from cslib.revenue.movements import COUNTED, movements
from cslib.stats.intervals import FIRM, Interval, like_the_lowest, wilson

GAINS: Final = ["new", "expansion", "reactivation"]
LOSSES: Final = ["churn", "contraction"]
YEAR: Final = 12
STANDS_OUT: Final = ["expansion", "contraction", "churn"]
FAR: Final = 6  # median deviations above the median month
TWICE: Final = 2  # the next largest month
MUCH: Final = 0.05  # of the MRR that a month opened with
FELT: Final = {"expansion": {"nrr"}, "contraction": {"nrr", "grr"}, "churn": {"nrr", "grr"}}  # by a year that holds it
FEW: Final = 5  # customers, as many as the table begins with


@dataclass(frozen=True, eq=False)
class Moves:
    """What :func:`cslib.revenue.movements.movements` lets one say.

    Attributes
    ----------
    moved
        Its table: of all customers, or of a segment alone.
    """

    moved: pd.DataFrame

    @cached_property
    def balance(self) -> pd.Series[Any]:
        """The last month of all customers: its row of ``movements``, and what it comes to.

        Returns
        -------
        pandas.Series
            The row, and ``n_months`` (complete ones), ``change`` (since its beginning, to the cent), ``change_share``
            (of the MRR then; missing without any), ``year_share`` (the same over twelve months).
        """
        rows = self.moved[self.moved["segment"] == "All"]
        row = rows.iloc[-1]
        change = round(row.closing - row.opening, 2)
        then = rows["closing"].iloc[-YEAR - 1] if len(rows) > YEAR else 0.0
        more = {"n_months": len(rows), "change": change}
        more["change_share"] = change / row.opening if row.opening > 0 else np.nan
        more["year_share"] = round(row.closing - then, 2) / then if then > 0 else np.nan
        return pd.concat([row, pd.Series(more, dtype=object)])

    @cached_property
    def left_in_a_year(self) -> pd.Series[Any] | None:
        """Customer churn of the last twelve months together, as the churn report has it.

        Returns
        -------
        pandas.Series or None
            ``month`` (the last one), ``n_start`` (customers of the months' starts, added up), ``churn_rate`` (a month),
            ``ci_lower``, ``ci_upper`` (Wilson, 95 %). None with fewer months of which it is settled who left.
        """
        rows = self.moved[
            (self.moved["segment"] == "All") & (self.moved["logo_churn_rate"].notna() | (self.moved["n_opening"] == 0))
        ]
        rows = rows.tail(YEAR)
        n, left = float(rows["n_opening"].sum()), float(rows["n_churned"].sum())
        if len(rows) < YEAR or not n:
            return None
        ends = {name: float(end[0]) for name, end in wilson([left], [n]).columns().items()}
        return pd.Series({"month": rows["month"].iloc[-1], "n_start": n, "churn_rate": left / n, **ends}, dtype=object)

    def quick_ratios(self, *, months: int = 12) -> pd.Series[Any]:
        """Compare gains over losses of the last months together with those of as many before.

        Returns
        -------
        pandas.Series
            ``now``, ``before`` (missing where nothing was lost, or there are not as many months before), ``n_months``
            (of ``now``), ``paid`` (whether there was any MRR in these).
        """
        rows = self.moved[self.moved["segment"] == "All"]
        last, earlier = rows.tail(months), rows.iloc[:-months].tail(months)
        before = _quick(earlier) if len(earlier) == months else np.nan
        told = {"now": _quick(last), "before": before, "n_months": len(last)}
        return pd.Series(told | {"paid": bool(last[["opening", "closing"]].any(axis=None))}, dtype=object)

    def far_out(self, *, of_all: pd.Series[Any] | None = None) -> pd.Series[Any] | None:
        """Find the month whose expansion, contraction or churn stands far out of all others.

        Parameters
        ----------
        of_all
            Of a segment, what stands far out among all customers, if anything: its month is told of the segment, too,
            where the amount is more than twice that of any other month, whatever is usual.

        Returns
        -------
        pandas.Series or None
            ``kind``, ``month``, ``amount`` (not negative), ``share`` (of the MRR that it opened with), ``n`` (customers
            who paid more, paid less or left), ``n_opening`` (of so many), ``usual`` (the median share). The amount is
            more than twice that of any other month, and the share at least six median absolute deviations above the
            median; where most months have none, a twentieth of MRR or more, of 30 customers. Of several kinds the one
            farthest out; None without any, or where fewer than twelve months opened with MRR.
        """
        rows = self.moved[(self.moved["segment"] == "All") & (self.moved["opening"] > 0)].set_index("month")
        found = [_farthest(rows, kind) for kind in STANDS_OUT] if len(rows) >= YEAR else []
        far = [row for row in found if row.distance >= FAR and row.amount > TWICE * row.next]
        if of_all is not None and not far:
            far = [
                row
                for row in found
                if (row.kind, row.month) == (of_all.kind, of_all.month) and row.amount > TWICE * row.next
            ]
        return max(far, key=lambda row: row.distance).drop(["distance", "next"]) if far else None


def far_out(data: DataSet, moved: pd.DataFrame) -> pd.Series[Any] | None:
    """Find the month of a data set that stands far out, see :meth:`Moves.far_out`; of a segment beside the whole.

    Parameters
    ----------
    data
        Of all customers, or of a segment.
    moved
        As from :func:`cslib.revenue.movements.movements`, of the same.
    """
    of_all = Moves(movements(data.whole())).far_out() if data.whole else None
    return Moves(moved).far_out(of_all=of_all)


def years_that_hold(row: pd.Series[Any] | None, ends: pd.Series[Any]) -> list[pd.Timestamp]:
    """Name the first and the last month whose twelve months hold one that stands far out, of two at hand or more."""
    if row is None:
        return []
    held = ends[(ends >= row.month) & (ends < row.month + pd.DateOffset(months=YEAR))]
    return [held.min(), held.max()] if held.nunique() > 1 else []


def _quick(rows: pd.DataFrame) -> float:
    lost = -float(rows[LOSSES].to_numpy().sum())
    return float(rows[GAINS].to_numpy().sum()) / lost if lost > 0 else np.nan


def _farthest(rows: pd.DataFrame, kind: str) -> pd.Series[Any]:
    """Tell of the month with the largest amount how many median deviations its share lies above the median."""
    amounts = rows[kind].abs()
    shares, (most, second) = amounts / rows["opening"], amounts.nlargest(2)
    month, usual = amounts.idxmax(), shares.median()
    around = (shares - usual).abs().median()  # 0 where most months have none: then none is usual
    told = {"kind": kind, "month": month, "amount": most, "share": shares[month], "usual": usual, "next": second}
    told |= {"n": rows[COUNTED[kind]][month], "n_opening": rows["n_opening"][month]}
    rare = np.inf if shares[month] >= MUCH and told["n"] >= FIRM else 0.0  # where nothing is usual
    return pd.Series(told | {"distance": (shares[month] - usual) / around if around else rare}, dtype=object)


@dataclass(frozen=True, eq=False)
class Kept:
    """What :func:`cslib.revenue.movements.trailing` lets one say.

    Attributes
    ----------
    kept
        Its table.
    """

    kept: pd.DataFrame

    @cached_property
    def best_and_worst(self) -> pd.DataFrame:
        """The rows with the highest and the lowest NRR of the last month.

        Of segments with at least 30 customers; no rows where fewer than two have so many. ``but_few``: a smaller one
        has a higher or a lower NRR.
        """
        parts, every = self._firm, self._last["nrr"].dropna()
        ends = parts.iloc[[-1, 0]] if len(parts) > 1 else parts.head(0)
        return ends.assign(but_few=len(every) > 0 and not every.between(ends["nrr"].min(), ends["nrr"].max()).all())

    @cached_property
    def alike_at_the_bottom(self) -> pd.DataFrame:
        """The rows of segments that are as low as the lowest, which is the first.

        See :func:`cslib.stats.intervals.like_the_lowest`.
        """
        parts = self._firm
        if len(parts) < 2:
            return parts.head(0)
        ends = Interval(*(parts[f"nrr_ci_{end}"].to_numpy(float) for end in ("lower", "upper")))
        return parts[like_the_lowest(parts["nrr"], ends)]

    def least_kept(self, moved: pd.DataFrame) -> pd.Series[Any] | None:
        """Give the segment that keeps least, the worst of :attr:`best_and_worst`, and what it weighs.

        Returns
        -------
        pandas.Series or None
            Its row, and ``share_of_mrr`` (of all MRR of the last month) and ``flat`` (whether none of its customers
            pays more than a year before, though others do). None without two segments or any MRR.
        """
        ends = self.best_and_worst
        last = moved[moved["month"] == moved["month"].max()].set_index("segment")["closing"]
        if ends.empty or ends["nrr"].nunique() == 1 or not last["All"]:
            return None
        row, whole = ends.iloc[-1], self.kept[self.kept["segment"] == "All"].iloc[-1]
        more = {
            "share_of_mrr": last[row.segment] / last["All"],
            "flat": bool(row.nrr <= row.grr and whole.nrr > whole.grr),
        }
        return pd.concat([row, pd.Series(more, dtype=object)])

    @cached_property
    def a_year_before(self) -> pd.Series[Any] | None:
        """The row of all customers a year before the last; None where fewer than 30 tell of it."""
        rows = self.kept[self.kept["segment"] == "All"]
        early = rows[rows["month"] == rows["month"].max() - pd.DateOffset(months=YEAR)]
        return early.iloc[0] if len(early) and early["n_opening"].iloc[0] >= FIRM else None

    def left_the_year(self, row: pd.Series[Any] | None) -> pd.Series[Any] | None:
        """Tell how NRR changed when the month of :meth:`Moves.far_out` left the twelve months that it is taken over.

        Returns
        -------
        pandas.Series or None
            ``month`` (that stands far out), ``left`` (the first month whose year does not hold it), ``nrr`` and
            ``before`` (of that month and the one before, of all customers). None where that is more than twelve months
            ago, or where its year still holds it.
        """
        rates = self.kept[self.kept["segment"] == "All"].set_index("month")["nrr"]
        if row is None or rates.empty:
            return None
        left, last = row.month + pd.DateOffset(months=YEAR), rates.index[-1]
        known = left in rates.index and left - pd.DateOffset(months=1) in rates.index
        if not known or left <= last - pd.DateOffset(months=YEAR):
            return None
        told = {"month": row.month, "left": left, "nrr": rates[left], "before": rates[left - pd.DateOffset(months=1)]}
        return pd.Series(told, dtype=object)

    @property
    def _last(self) -> pd.DataFrame:
        """Segments in the last month."""
        return self.kept[(self.kept["month"] == self.kept["month"].max()) & (self.kept["segment"] != "All")]

    @cached_property
    def _firm(self) -> pd.DataFrame:
        return self._last[self._last["n_opening"] >= FIRM].sort_values("nrr")


def largest_moves(steps: pd.DataFrame) -> pd.Series[Any]:
    """Name what moved MRR most in ``waterfall``.

    Returns
    -------
    pandas.Series
        ``net`` (all movements together, to the cent), ``gained`` and ``lost`` (those up and those down together, not
        negative), ``gain`` and ``loss`` (the largest of either, as in ``new``), ``one_gain`` and ``one_loss`` (whether
        it is the only one).
    """
    moves = steps.iloc[1:-1].set_index("step")["amount"]
    up, down = moves[moves > 0], moves[moves < 0]
    ends = {"gain": moves.idxmax(), "gained": up.sum(), "loss": moves.idxmin(), "lost": -down.sum()}
    only = {"one_gain": len(up) == 1, "one_loss": len(down) == 1}
    return pd.Series({"net": round(moves.sum(), 2)} | ends | only, dtype=object)


def shares_of_steps(steps: pd.DataFrame) -> pd.Series[Any]:
    """Give what each step of ``kept_steps`` comes to for every 100 at the beginning, to a tenth."""
    amounts = steps.set_index("step")["amount"]
    return (100 * amounts / amounts["opening"]).round(1)


def who_moved(movers: pd.DataFrame, row: pd.Series[Any]) -> pd.Series[Any]:
    """Count those who pay nothing, less and more in ``movers``, and tell how much of the loss a few of them are.

    Parameters
    ----------
    movers
        As from :func:`cslib.revenue.movements.movers`.
    row
        Of ``trailing``: all customers in the last month.

    Returns
    -------
    pandas.Series
        ``n_opening`` (customers of a year before), ``churn``, ``contraction``, ``expansion`` (customers), ``of_few``
        (the :data:`FEW` largest falls as a share of all that was lost; missing where no more have fallen).
    """
    falls = -movers.loc[movers["change"] < 0, "change"]
    few = falls.nlargest(FEW).sum() / -(row.churn + row.contraction) if len(falls) > FEW else np.nan
    counts = movers["step"].value_counts().reindex(["churn", "contraction", "expansion"], fill_value=0)
    return pd.concat([counts, pd.Series({"n_opening": row.n_opening, "of_few": few})])


def held_by_year(layers: pd.DataFrame) -> pd.DataFrame:
    """Hold the last MRR of those who came in a year, in ``layers``, against theirs at its end; the latest year first.

    Returns
    -------
    pandas.DataFrame
        ``share`` (of MRR at the end of the year) and ``months`` (since then), by ``cohort``. No rows where no year has
        ended with MRR.
    """
    month, last = layers["month"], layers["month"].max()
    now = layers[month == last].set_index("cohort")["mrr"]
    at_end = (month.dt.month == YEAR) & (month.dt.year.astype(str) == layers["cohort"]) & (month < last)
    ends = layers[at_end & (layers["mrr"] > 0)].set_index("cohort").sort_index(ascending=False)
    share = now.reindex(ends.index, fill_value=0.0) / ends["mrr"]
    since = YEAR * (last.year - ends["month"].dt.year) + last.month - YEAR
    return pd.DataFrame({"share": share, "months": since})


def shares_by_year(layers: pd.DataFrame) -> pd.Series[Any]:
    """Share the last MRR of ``layers`` out by the year customers came, ascending; empty where none is left."""
    last = layers[layers["month"] == layers["month"].max()].set_index("cohort")["mrr"].sort_index()
    return last / last.sum() if last.sum() > 0 else last.head(0)


def spread(ways: pd.DataFrame) -> pd.Series[Any] | None:
    """Find the rate of ``conventions`` of which the values lie farthest apart, for its size.

    Returns
    -------
    pandas.Series or None
        ``min`` and ``max`` (0–1), named by the measure; None where there was no opening, so that no rate has a value.
    """
    values = ways.dropna(subset="value").groupby("measure", sort=False)["value"].agg(["min", "max", "size"])
    rates = values.loc[(values["size"] > 1) & ~values.index.isin(["quick ratio", "NRR of a month"]), ["min", "max"]]
    if pd.isna(ways["value"].iloc[0]) or rates.empty:
        return None
    apart = (rates["max"] - rates["min"]) / rates.abs().max(axis=1).clip(lower=1e-9)
    return rates.loc[[apart.idxmax()]].iloc[0]


def sales_by_year(sold: pd.DataFrame) -> pd.DataFrame:
    """Keep what ends a whole year of ``conversions`` by twelve months, from two months on; ``segment`` is the kind."""
    kinds = sold[sold["kind"].isin(["upsell", "cross_sell"])].rename(columns={"kind": "segment"})
    whole = kinds[kinds["month"] >= kinds["month"].min() + pd.DateOffset(months=YEAR - 1)]
    return whole if whole["month"].nunique() > 1 and whole["rate"].notna().any() else whole.iloc[:0]


def recent_sales(sold: pd.DataFrame) -> pd.DataFrame:
    """Pick upsell and cross-sell of the last month of ``conversions`` by twelve months; no rows without orders.

    ``rate_before`` is the rate of the twelve months before; missing where there are not as many.
    """
    months = sold["month"].drop_duplicates().sort_values()
    before = months.iloc[-YEAR - 1] if len(months) >= 2 * YEAR else pd.NaT
    earlier = sold[sold["month"] == before].set_index("kind")["rate"]
    last = sold[(sold["month"] == months.max()) & (sold["n_all"] > 0) & sold["kind"].isin(["upsell", "cross_sell"])]
    told = last.assign(rate_before=last["kind"].map(earlier).astype(float))
    return told.sort_values("kind", ascending=False, ignore_index=True)
