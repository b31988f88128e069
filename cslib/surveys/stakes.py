"""What answers have to do with money: who stayed after which answer, and what that is worth.

A landmark analysis: customers of one past day, grouped by the answers known on that day, followed from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cslib.data.calendar import Window, age_in_months, ending, observed
from cslib.data.customers import current_mrr, exact_sum
from cslib.data.dataset import DataSet
from cslib.errors import check_share
from cslib.stats.intervals import Floats, Interval, holm, log_rank, weighted_sum, z_value
from cslib.stats.survival import at_risk_and_events, by_segment, survival_curve, survival_summary
from cslib.surveys.answers import SILENT, STATES, Asked, Measure, latest

ALL_OTHERS: Final = "all others"
KEYS: Final = ["group", "age", "end", "since", "event_observed"]
RATIO: Final = ("hazard_ratio", "hazard_ratio_ci_lower", "hazard_ratio_ci_upper")


def _hazard_ratios(n_at_risk: ArrayLike, n_events: ArrayLike, *, confidence_level: float = 0.95) -> dict[str, Floats]:
    """Hazards of groups against the first, proportional at every time, on counts.

    Parameters
    ----------
    n_at_risk
        Customers at risk just before each time, shape (k groups, m times).
    n_events
        Events at each time, same shape.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    dict
        ``hazard_ratio``, ``hazard_ratio_ci_lower`` and ``hazard_ratio_ci_upper``, shape (k,); 1 for the first, NaN for
        a group without events, or for all where the first has none.

    Notes
    -----
    Cox regression on the groups, ties by Efron: for groups, counts hold all that rows do.

    References
    ----------
    Cox (1972), JRSS B 34:187–220; Efron (1977), JASA 72:557–565.

    Examples
    --------
    >>> found = _hazard_ratios([[10, 8, 5], [10, 9, 8]], [[2, 3, 1], [1, 1, 1]])
    >>> found["hazard_ratio"].round(3).tolist()
    [1.0, 0.397]
    """
    r, d = np.asarray(n_at_risk, float), np.asarray(n_events, float)
    bounds = {name: np.full(len(r), np.nan) for name in RATIO}
    used = np.flatnonzero(d.sum(axis=1) > 0)
    if not len(used) or used[0] != 0:
        return bounds
    beta, information = _efron(r[used], d[used])
    if len(beta) and np.linalg.eigvalsh(information)[0] < 1e-9:  # no two groups were ever at risk together
        return bounds
    half = z_value(confidence_level) * np.sqrt(np.diag(np.linalg.inv(information))) if len(used) > 1 else np.empty(0)
    for name, value in zip(RATIO, (beta, beta - half, beta + half), strict=True):
        bounds[name][used] = np.exp(np.append(0.0, value))
    return bounds


def _efron(r: Floats, d: Floats) -> tuple[Floats, Floats]:
    """Log hazard ratios to the first group, and their information, by Newton's method."""
    times = np.flatnonzero(d.sum(axis=0) > 0)
    tied = d[:, times].sum(axis=0).astype(int)
    at = np.repeat(times, tied)  # one column per event; the tied ones count down those already gone
    gone = np.concatenate([np.arange(n) / n for n in tied])
    left = r[:, at] - gone * d[:, at]
    beta = np.zeros(len(r) - 1)
    for _ in range(50):
        weight = np.exp(np.append(0.0, beta))[:, None] * left
        share = (weight / weight.sum(axis=0))[1:]
        score = d[1:].sum(axis=1) - share.sum(axis=1)
        information = np.diag(share.sum(axis=1)) - share @ share.T
        step = np.linalg.pinv(information) @ score
        beta += np.clip(step, -2, 2)
        if not len(step) or np.abs(step).max() < 1e-10:
            break
    return beta, information


@dataclass(frozen=True)
class Landmark:
    """Customers of one day, by the answer known then, and what became of them.

    Attributes
    ----------
    asked
        What they answered to.
    horizon_months
        From the landmark to ``as_of``.
    day, window
        The landmark, and the invitations up to it that count; None where ``remark`` says why there is none.
    lives
        ``group``, ``age`` and ``end`` (days since the start, at the landmark and at churn or ``as_of``),
        ``event_observed``, ``n`` (customers).
    present
        Customers of today, by the answer of the present window: ``group``, ``n_today``, ``mrr`` (missing where not
        known).
    remark
        Why nobody could be followed; empty where somebody could.
    """

    asked: Measure
    horizon_months: int
    day: date | None = None
    window: Window | None = None
    lives: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    present: pd.DataFrame = field(repr=False, default_factory=pd.DataFrame)
    remark: str = ""

    @property
    def groups(self) -> list[str]:
        """Groups that somebody is in, the best first."""
        return [g for g in (*self.asked.groups, STATES[0]) if g in set(self.lives["group"])]

    def counts(self, *, by_age: bool = False) -> pd.DataFrame:
        """Lifetimes by group (``segment``), from the landmark on or by age, as counts of lifetimes."""
        place = self.lives["group"].map(self.groups.index)
        rows = self.lives.iloc[np.argsort(place, kind="stable")].rename(columns={"group": "segment"})
        ages = {"age": "entry_months", "end": "duration_months"} if by_age else {"since": "duration_months"}
        return rows.rename(columns=ages).assign(**({} if by_age else {"entry_months": 0.0}))


def after_answers(data: DataSet, asked: Measure, window: Window, *, horizon_months: int = 12) -> Landmark:
    """Follow the customers of a past day by the answer known on it.

    Parameters
    ----------
    data
        With ``surveys`` and, for lifetimes, ``customers`` in dates.
    asked
        As from :func:`cslib.surveys.answers.measure`.
    window
        The present window. The past one is as long and ends at the landmark.
    horizon_months
        Months from the landmark to ``as_of``.

    Returns
    -------
    Landmark
        An answer counts if given by the landmark (by ``answered_on``, or without it by ``asked_on``); a later one
        is silence. Who was not asked is in no group.
    """
    as_of, first = observed(data), date.fromisoformat(data.statistics["surveys"]["first"])
    day = (pd.Timestamp(as_of) - pd.DateOffset(months=horizon_months)).date()
    if not data.has_dates("customers"):
        return Landmark(asked, horizon_months, remark="The data hold no start dates, so nobody can be followed.")
    if data.observed_from and day < data.observed_from:
        why = f"Churn is recorded from {data.observed_from} on, less than {horizon_months} months ago."
        return Landmark(asked, horizon_months, remark=why)
    past = ending(window, day, earliest=first)
    lives = _lives(data, _groups(data, asked, past), day, as_of)
    if asked.groups[0] not in set(lives["group"]) or lives["group"].nunique() < 2:
        why = f"Too few customers had answered by {day:%-d %B %Y} to follow them for {horizon_months} months."
        return Landmark(asked, horizon_months, remark=why)
    return Landmark(asked, horizon_months, day, past, lives, _present(data, asked, window))


def _groups(data: DataSet, asked: Measure, window: Window) -> ir.Table:
    """Give each customer asked in a window its group, by the answers known when the window ends."""
    rows = data.table("surveys")
    if "answered_on" in rows.columns:
        late = (rows.answered_on > ibis.date(window.last)).fill_null(False)
        rows = rows.mutate(score=ibis.ifelse(late, ibis.null("float64"), rows.score))
    each = latest(rows, {"now": Asked(asked, window.first, window.last)})
    answered = zip(asked.scores, (asked.groups[p] for p in asked.places), strict=True)
    group = ibis.cases(*((each.now == score, name) for score, name in answered), else_=STATES[0])
    return each.filter(each.now >= SILENT).select("customer_id", group=group)


def _lives(data: DataSet, groups: ir.Table, day: date, as_of: date) -> pd.DataFrame:
    customers, landmark = data.table("customers"), ibis.date(day)
    last = customers.churned_on.fill_null(ibis.date(as_of))
    here = customers.filter((customers.started_on <= landmark) & (last > landmark))
    age, end = (age_in_months(customers.started_on, day) for day in (landmark, last))
    times = {"age": age, "end": end, "since": age_in_months(landmark, last)}
    lives = here.select("customer_id", event_observed=customers.churned_on.notnull(), **times)
    joined = lives.join(groups, "customer_id")
    return joined.group_by(KEYS).aggregate(n=joined.count()).execute().sort_values(KEYS, ignore_index=True)


def _present(data: DataSet, asked: Measure, window: Window) -> pd.DataFrame:
    customers, price = data.table("customers"), current_mrr(data)
    here = customers.filter(customers.churned_on.isnull()).select("customer_id")
    joined = here.join(_groups(data, asked, window), "customer_id")
    if price is None:
        return joined.group_by("group").aggregate(n_today=joined.count()).execute().assign(mrr=np.nan)
    paid = joined.left_join(price.select("customer_id", "mrr"), "customer_id")
    return paid.group_by("group").aggregate(n_today=paid.count(), mrr=exact_sum(paid.mrr).fill_null(0.0)).execute()


def money_at_stake(found: Landmark, *, gross_margin: float = 1.0, confidence_level: float = 0.95) -> pd.DataFrame:
    """Survival after each kind of answer, and what today's customers would bring more if all stayed like the best.

    Parameters
    ----------
    found
        As from :func:`after_answers`.
    gross_margin
        Share of MRR that is margin.
    confidence_level
        Between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        ``group`` (best first), ``n``, ``n_churned``, ``survival_12m`` (share still here after the horizon, 0–1; named
        after it), ``ci_lower``, ``ci_upper``, ``rmst_difference_months`` (months stayed of the horizon, less those of
        the best group), ``rmst_difference_ci_lower``, ``rmst_difference_ci_upper``, ``mrr`` (of the group's customers
        of today), ``money_at_stake`` (mrr × gross margin × months stayed less than the best), ``money_ci_lower``,
        ``money_ci_upper`` (MRR taken as known), ``hazard_ratio`` (against the best group at the same age),
        ``hazard_ratio_ci_lower``, ``hazard_ratio_ci_upper``, ``p_adjusted`` (log-rank against the best group, Holm),
        ``n_today``, ``rmst_months`` (months stayed), ``rmst_ci_lower``, ``rmst_ci_upper``. In the last row, ``all
        others``, the money of all but the best is added up. No rows where nobody could be followed.

    References
    ----------
    Anderson, Cain & Gelber (1983), Journal of Clinical Oncology 1:710–719 (landmark).
    """
    months = found.horizon_months
    label = f"survival_{months}m"
    if found.remark:
        return pd.DataFrame(columns=_columns(label))
    check_share("gross_margin", gross_margin)
    curve = survival_curve(found.counts(), confidence_level=confidence_level)
    tau = min(float(months), float(curve["duration_months"].max()))
    table = survival_summary(curve, tau_months=tau, months=months, confidence_level=confidence_level)
    names = {"segment": "group", "n_customers": "n", "n_events": "n_churned"}
    table = table.rename(columns=names | {f"{label}_{end}": end for end in ("ci_lower", "ci_upper")})
    table = table.merge(found.present, on="group", how="left").fillna({"n_today": 0})
    if found.present["mrr"].notna().any():
        table["mrr"] = table["mrr"].mask(table["n_today"] == 0, 0.0)
    table = pd.concat([table, _apart(table), _hazards(found, curve, confidence_level)], axis=1)
    margin = table["mrr"].to_numpy(float) * gross_margin
    table["money_at_stake"] = -margin * table["rmst_difference_months"]
    table["money_ci_lower"] = -margin * table["rmst_difference_ci_upper"]
    table["money_ci_upper"] = -margin * table["rmst_difference_ci_lower"]
    table = pd.concat([table, pd.DataFrame([_total(table.iloc[1:], table, margin)])], ignore_index=True)
    return table[_columns(label)].astype(dict.fromkeys(("n", "n_churned", "n_today"), "int64"))


def _columns(label: str) -> list[str]:
    bounds = ("ci_lower", "ci_upper")
    return [
        *("group", "n", "n_churned", label, *bounds),
        *("rmst_difference_months", *(f"rmst_difference_{b}" for b in bounds)),
        *("mrr", "money_at_stake", *(f"money_{b}" for b in bounds)),
        *("hazard_ratio", *(f"hazard_ratio_{b}" for b in bounds), "p_adjusted", "n_today"),
        *("rmst_months", *(f"rmst_{b}" for b in bounds)),
    ]


def _stays(table: pd.DataFrame, rows: Sequence[int]) -> Interval:
    bounds = table[["rmst_ci_lower", "rmst_ci_upper"]].to_numpy(float)[list(rows)]
    return Interval(bounds[:, 0], bounds[:, 1])


def _apart(table: pd.DataFrame) -> pd.DataFrame:
    """Months each group stayed less those of the first, with bounds."""
    stay = table["rmst_months"].to_numpy(float)
    pairs = [weighted_sum([1, -1], stay[[i, 0]], _stays(table, [i, 0])) for i in range(1, len(table))]
    months = {"months": stay[1:] - stay[0], "ci_lower": [p.lower for p in pairs], "ci_upper": [p.upper for p in pairs]}
    return pd.DataFrame({f"rmst_difference_{name}": [np.nan, *map(float, own)] for name, own in months.items()})


def _hazards(found: Landmark, curve: pd.DataFrame, confidence_level: float) -> pd.DataFrame:
    """Hazard ratios to the first group among customers of one age, and log-rank tests from the landmark on."""
    by_age = [own for _, own in by_segment(survival_curve(found.counts(by_age=True)))]
    ratios = _hazard_ratios(*at_risk_and_events(by_age), confidence_level=confidence_level)
    at_risk, events = at_risk_and_events([own for _, own in by_segment(curve)])
    tests = [log_rank(at_risk[[0, i]], events[[0, i]]).p_value for i in range(1, len(at_risk))]
    return pd.DataFrame(ratios | {"p_adjusted": [np.nan, *holm(tests)]})


def _total(others: pd.DataFrame, table: pd.DataFrame, margin: Floats) -> dict[str, object]:
    """Add up the money of all but the first group, whose months stand in every difference."""
    weights = np.append(margin[1:].sum(), -margin[1:])
    stay = table["rmst_months"].to_numpy(float)
    bounds = weighted_sum(weights, stay, _stays(table, range(len(table))))
    sums = {c: others[c].sum() for c in ("n", "n_churned", "n_today")}
    money = {"money_at_stake": weights @ stay, **bounds.columns("money_")}
    money = {column: float(value) for column, value in money.items()}
    return {**sums, "group": ALL_OTHERS, "mrr": others["mrr"].sum(skipna=False), **money}
