"""Who leaves and why: Cox regression of churn on columns of ``customers`` and on MRR, fitted on rows.

Averaging over tied ages makes regression on counts differ from regression on rows, so here the rows are read:
up to a million customers, beyond that a reproducible sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from cslib.churn import columns as reading
from cslib.churn.columns import MIN_CUSTOMERS, MRR, MRR_AT_START, OTHER, Driver, Known
from cslib.data.contract import CONTRACT, TENURE
from cslib.data.dataset import DataSet
from cslib.data.engine import md5
from cslib.data.lifetimes import lifetime_rows, unit_months
from cslib.errors import DataError, ParameterError, counted, did_you_mean, listed
from cslib.stats import cox
from cslib.stats.intervals import SIGNIFICANT, holm, z_value

Ratios = dict[Any, dict[str, float]]  # by column of the design
MAX_STRATA: Final = 8
FOLDS: Final = 5
TABLE: Final = ["term", "level", "n", "hazard_ratio", "ci_lower", "ci_upper", "p_value", "ph_p_value"]
CHECKED_ROWS: Final = 50_000
MAX_ROWS: Final = 1_000_000
REFERENCE: Final = " (reference)"
ENOUGH_GROUPS: Final = 5  # of customers by predicted risk
HELD: Final = 0.8  # share of groups whose interval should hold the prediction
WIDE_GAP: Final = 0.1  # between predicted and observed, as a share
GUESSED: Final = 0.55  # of pairs put in the right order: hardly more than by guessing


def strongest(table: pd.DataFrame) -> pd.Series[Any] | None:
    """Find the level whose ratio is furthest from 1, of those that differ from their reference by more than chance.

    Parameters
    ----------
    table
        Of :class:`DriverModel`.

    Returns
    -------
    pandas.Series or None
        Its row, and ``reference``: the value that it is held against, empty for a number. None where no level differs
        by more than chance.
    """
    clear = table[_clear(table)]
    if clear.empty:
        return None
    row = clear.loc[[np.log(clear["hazard_ratio"]).abs().idxmax()]].iloc[0]
    levels = table.loc[table["term"] == row["term"], "level"]
    base = levels[levels.str.endswith(REFERENCE)].str.removesuffix(REFERENCE)
    return pd.concat([row, pd.Series({"reference": base.iloc[0] if len(base) else ""})])


def _clear(table: pd.DataFrame) -> pd.Series:
    return pd.Series(holm(table["p_value"]) < SIGNIFICANT, index=table.index)


def by_luck(table: pd.DataFrame) -> tuple[list[str], int]:
    """Name the levels whose interval leaves out 1, though all comparisons together allow for that; and count all.

    Parameters
    ----------
    table
        Of :class:`DriverModel`.
    """
    apart = (table["ci_lower"] > 1) | (table["ci_upper"] < 1)
    levels = table.loc[apart & ~_clear(table), "level"]
    return [*levels.astype(str)], int(table["p_value"].notna().sum())


def agreement(calibration: pd.DataFrame) -> pd.Series[Any]:
    """Judge whether predicted and observed churn agree, group by group.

    Parameters
    ----------
    calibration
        Of :class:`DriverModel`.

    Returns
    -------
    pandas.Series
        ``n_groups``, ``n_inside`` (of which the interval holds the prediction), ``widest_gap`` (between predicted and
        observed, as a share), ``enough`` (there are five groups to judge by), ``agree`` (at least 80 % of the intervals
        hold the prediction, and the widest gap is below 10 points).
    """
    inside = calibration["predicted"].between(calibration["ci_lower"], calibration["ci_upper"])
    gap, n = (calibration["predicted"] - calibration["observed"]).abs().max(), len(calibration)
    counts = {"n_groups": n, "n_inside": inside.sum(), "widest_gap": gap}
    agree = inside.mean() >= HELD and gap < WIDE_GAP
    return pd.Series(counts | {"enough": n >= ENOUGH_GROUPS, "agree": agree}, dtype=object)


@dataclass(frozen=True)
class DriverModel:
    """What drives churn, and the base risk by age that scoring needs.

    Attributes
    ----------
    table
        ``term`` (column of ``customers``, or ``MRR at start``), ``level`` (``… (reference)`` has ratio 1 and no
        interval; of a number the two values compared), ``n`` (customers), ``hazard_ratio``, ``ci_lower``, ``ci_upper``,
        ``p_value``, ``ph_p_value`` (small: the ratio changes with age). All missing where nobody left. The
        strongest driver first.
    calibration
        ``decile`` (1: lowest predicted risk; fewer than ten where few churned), ``n``, ``predicted`` (mean
        probability of churn from the start to the horizon, by models that have not seen these customers),
        ``observed`` (1 − Kaplan–Meier), ``ci_lower``, ``ci_upper``. Empty where a remark says why.
    checked_months
        The age up to which they are compared: the horizon, or the highest age in the data.
    concordance
        Share of pairs of customers that the model orders rightly, among customers it has not seen; late
        entry is ignored. NaN where there is nothing to compare.
    remarks
        Sentences for the reader.
    n, n_events
        Customers, and those of them who churned.
    stratified_by
        The driver within whose values customers are compared, or empty.
    drivers
        As the model reads them, the strongest first; their coefficients are ``kept_share`` of the log ratios.
    kept_share
        How much of the log ratios holds for customers that the model has not seen, 0–1; 1 where it is not known.
    baseline
        ``stratum`` (value of ``stratified_by``, or empty), ``age`` (months), ``cumulative_hazard`` (of a
        customer at every reference) at each age with churn, or of a stratum without churn at each month; the
        last row of a stratum is the last age with 20 customers at risk.
    unit_months
        How finely ages are recorded.
    concordance_within
        Likewise among customers with the same value of ``goes_by``, averaged over its values by their numbers of pairs,
        roughly: customers times those who left. NaN where that is empty.
    """

    table: pd.DataFrame
    calibration: pd.DataFrame
    checked_months: float
    concordance: float
    remarks: tuple[str, ...]
    n: int
    n_events: int
    stratified_by: str
    drivers: tuple[Driver, ...]
    kept_share: float
    baseline: pd.DataFrame
    unit_months: float
    concordance_within: float = np.nan

    @property
    def clear(self) -> pd.Series:
        """Whether each ratio of the table is more than chance, all rows allowed for (Holm)."""
        return _clear(self.table)

    @property
    def clear_terms(self) -> tuple[str, ...]:
        """Drivers that matter by more than chance, the strongest first."""
        return tuple(self.table["term"][self.clear].unique())

    @property
    def tells_apart(self) -> bool:
        """Whether it picks the earlier of two leavers in more than 55 % of pairs, which half would not be by chance.

        The variance of such a share is at most c (1 − c) / n, of n who left (Birnbaum & Klose 1957, Annals of
        Mathematical Statistics 28:933–945).
        """
        c = self.concordance
        return bool(c > GUESSED and c - z_value() * np.sqrt(c * (1 - c) / self.n_events) > 1 / 2)

    @property
    def alike_within(self) -> str:
        """The one column (``goes_by``) by which it tells customers apart: those of one value it hardly does."""
        return self.goes_by if self.concordance_within <= GUESSED else ""

    def tells_apart_within(self, column: str) -> bool:
        """Whether it tells apart customers with the same value of a column, as far as that is known; empty: any."""
        return self.tells_apart and not (column and column == self.alike_within)

    @property
    def goes_by(self) -> str:
        """Column that tells it most: a text that it reads as it is, and by more than chance; else empty.

        Other drivers are held equal. A sum over parts is of customers as they are, see :mod:`cslib.data.parts`.
        """
        whole = {d.name for d in self.drivers if d.kind == "text" and OTHER not in d.levels}
        return next((name for name in (self.stratified_by, *self.clear_terms) if name in whole), "")


def check_horizon(horizon_months: float, unit: float) -> None:
    """Refuse a horizon that is no number of months, or shorter than the unit of the data."""
    msg = f"horizon_months is {horizon_months!r}. Give a number of months of at least {unit:.2g}, such as 12."
    ParameterError.when(not unit <= horizon_months < np.inf, msg)


def fit_drivers(data: DataSet, *, drivers: str = "", horizon_months: float = 12.0) -> DriverModel:
    """Fit how churn depends on columns of ``customers``, all at once.

    Parameters
    ----------
    data
        With ``customers``, in dates or in tenures.
    drivers
        Columns of ``customers``, separated by commas, ``mrr`` among them: read as a logarithm, of the first paid day
        where there are ``subscriptions``. Empty: the declared segments, else every column beyond the contract; and
        ``mrr``, unless they explain 70 % of it.
    horizon_months
        Age up to which predictions are checked.

    Returns
    -------
    DriverModel
        Without any usable driver it holds the risk by age only, and a remark says why.

    Raises
    ------
    DataError
        There is no ``customers``, or none of them was under observation.
    ParameterError
        ``drivers`` names no column, or a number is out of range.

    Notes
    -----
    Of more than a million customers a sample is fitted, the same one each time.

    Hazard of customer i at age t: h₀(t)·exp(Σ βx). Ties by Efron, in the base risk too; 95 % intervals are Wald's.
    Values with fewer than 20 customers are merged, and all but the 12 largest. The customers of a value that
    nobody left with are not in the fit (the limit of its likelihood); their log ratio for scoring is the one with
    which the model expects ½ of them to have left. Numbers count up to three times their range beyond it.
    Proportional hazards are checked by the correlation of scaled Schoenfeld residuals with the rank of age,
    Holm-adjusted over drivers; of the drivers that fail, the one with the strongest evidence that can becomes a
    stratum with a base risk of its own, and the check of the others is made again within it. Groups of the
    calibration are by the risk of the whole fit.

    Ratios fitted to few customers are too far from 1 for others. So log ratios are estimated without a fifth of the
    customers in turn, and the slope of the hazard on what they foretell of that fifth, 0–1, is the share of them that
    scoring and calibration use (``kept_share``), with a base risk to match; the table holds the plain estimates.

    References
    ----------
    Cox (1972), JRSS B 34:187–220; Efron (1977), JASA 72:557–565; Grambsch & Therneau (1994), Biometrika
    81:515–526; van Houwelingen (2000), Statistics in Medicine 19:3401–3415.

    Examples
    --------
    >>> import cslib
    >>> customers = pd.DataFrame({"tenure_months": range(120), "churned": [True, False, True] * 40})
    >>> customers = customers.assign(customer_id=customers.index.astype(str), plan=["A", "A", "B"] * 40)
    >>> model = fit_drivers(cslib.load({"customers": customers}))
    >>> model.table[["term", "level", "n"]].values.tolist()
    [['plan', 'A (reference)', 80], ['plan', 'B', 40]]
    """
    unit = unit_months(data)
    check_horizon(horizon_months, unit)
    remarks: list[str] = []
    life, columns = _read(data, _names(data, drivers), remarks)
    known, design = reading.design_of(columns, life, remarks, all_of_them=bool(drivers))
    design, whole = _fit_sound(design, life, remarks)
    by, fit, tested = _stratified(whole, known, design, life, remarks)
    table = _table(known, _ratios(design, (whole, fit), tested))
    remarks += _loyal(known, table, life)
    stratum, design = known[by][1] if by else pd.Series("", index=life.index), _without(by, design)
    horizon = min(horizon_months, float(life["duration"].max()))
    unseen = _blind(design, life, stratum, horizon, remarks)
    kept_share = float(unseen["kept_share"].iloc[0]) if len(unseen) else 1.0
    base, log_ratios = cox.completed(fit.shrunk(kept_share), design, life, stratum)
    risk = cox.risk_from_start(base, cox.scores_of(log_ratios, design), stratum, horizon)
    calibration, outside = pd.DataFrame(columns=cox.CALIBRATION), np.nan
    if len(unseen):
        foretold = unseen["risk"].to_numpy()
        calibration = cox.calibrated(unseen, risk[unseen.index], foretold, horizon)
        outside = cox.concordance(unseen, foretold)
        short = f"The data reach no age of {horizon_months:g} months: predictions are checked at {horizon:.1f}."
        remarks += [short] if horizon < horizon_months else []
    model = DriverModel(
        table=table, calibration=calibration, checked_months=horizon, concordance=outside,
        remarks=tuple(remarks), n=len(life), n_events=int(life["event"].sum()),
        stratified_by=by, drivers=_estimated(known, table, log_ratios), kept_share=kept_share, baseline=base,
        unit_months=unit,
    )  # fmt: skip
    by = model.goes_by
    return replace(model, concordance_within=_within(unseen, known[by][1])) if by else model


def _within(unseen: pd.DataFrame, value: pd.Series) -> float:
    """Average the concordance over the values of a driver."""
    parts = [own for _, own in unseen.groupby(value.reindex(unseen.index))]
    found = pd.Series([cox.concordance(own, own["risk"].to_numpy()) for own in parts], dtype=float)
    pairs = pd.Series([len(own) * own["event"].sum() for own in parts], dtype=float).where(found.notna(), 0.0)
    return float((found * pairs).sum() / (pairs.sum() or np.nan))


def _estimated(known: Known, table: pd.DataFrame, log_ratios: pd.Series) -> tuple[Driver, ...]:
    """Give the drivers of the table their coefficients, in its order."""
    used, found = [known[name][0] for name in table["term"].unique()], dict(log_ratios.items())
    return tuple(replace(d, coefficients=tuple(float(found.get((d.name, v), 0.0)) for v in d.levels)) for d in used)


def _names(data: DataSet, drivers: str) -> list[str]:
    columns, sold = data.table("customers").columns, "subscriptions" in data.tables
    free = [c for c in columns if c not in (*CONTRACT["customers"], *TENURE)]
    declared, money = [c for c in data.segments if c in free] or free, [MRR] if sold or MRR in columns else []
    free = [*free, *money]
    names = list(dict.fromkeys(d.strip() for d in drivers.split(",") if d.strip()))
    for name in names:
        if name not in free:
            why = "is part of the contract, not a driver" if name in columns else "customers does not have to compare"
            msg = f"drivers has {name!r}, which {why}. {did_you_mean(name, free)}"
            raise ParameterError(msg)
    compared = (n for n in names or [*declared, *money] if n != data.segment[0])  # in which a segment is alike
    return [MRR_AT_START if n == MRR and sold else n for n in compared]


def _read(data: DataSet, names: list[str], remarks: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fetch lifetimes and, by name, drivers; ``entry`` is -1 for who was there from the start, at risk at age 0 too."""
    lives, columns = lifetime_rows(data), [f"driver{i}" for i in range(len(names))]
    joined = lives.join(reading.drivers_of(data, names), "customer_id")
    rows = joined.select("customer_id", "life", "entry", "duration", *columns, event=joined.event_observed)
    size = int(rows.count().execute())
    msg = f"No customer of {data.label or 'the data'} was under observation. Check observed_from, or widen where."
    DataError.when(not size, msg)
    if size > MAX_ROWS:
        rows = rows.order_by([md5(rows.customer_id), "customer_id", "life"]).limit(MAX_ROWS)
        remarks.append(f"The comparison rests on a sample of {MAX_ROWS:,} of the {size:,} customers.")
    frame = rows.execute().sort_values(["customer_id", "life"], ignore_index=True)
    life = frame[["entry", "duration", "event"]].astype({"entry": float, "duration": float, "event": bool})
    return life.assign(entry=life["entry"].where(life["entry"] > 0, -1.0)), frame[columns].set_axis(names, axis=1)


def _fit_sound(design: pd.DataFrame, life: pd.DataFrame, remarks: list[str]) -> tuple[pd.DataFrame, cox.CoxFit]:
    """Fit, and leave out driver after driver until the fit is sound."""
    while not (fit := cox.fit_cox(design, life)).sound:
        name = _culprit(fit, design, life)
        design = _without(name, design)
        remarks.append(f"{name} is not compared: it nearly decides who churns, or too few churned to tell.")
    if not len(design.columns):
        remarks.append("No column of customers is compared, so risk is told by age alone and is not checked.")
    return design, fit


def _without(name: str, design: pd.DataFrame) -> pd.DataFrame:
    return design[[c for c in design.columns if c[0] != name]]


def _culprit(fit: cox.CoxFit, design: pd.DataFrame, life: pd.DataFrame) -> str:
    if fit.coefficients.notna().any():
        return str(max(zip(fit.coefficients.abs(), fit.coefficients.index, strict=True))[1][0])
    names = list(dict.fromkeys(c[0] for c in design.columns))
    alone = (n for n in names if not cox.fit_cox(design[[c for c in design.columns if c[0] == n]], life).sound)
    return str(next(alone, names[-1]))


def _failing(tested: pd.Series) -> list[str]:
    """Return the drivers whose effect changes with age, the surest first (Bonferroni in a driver, Holm over them)."""
    names = np.array([c[0] for c in tested.index], dtype=object)
    largest = tested.groupby(names).max().sort_values(ascending=False)
    columns = pd.Series(names).value_counts().reindex(largest.index)
    return list(largest.index[holm(np.minimum(chdtrc(1, largest) * columns, 1)) < SIGNIFICANT])


def _stratified(
    whole: cox.CoxFit, known: Known, design: pd.DataFrame, life: pd.DataFrame, remarks: list[str]
) -> tuple[str, cox.CoxFit, pd.Series]:
    """Give the driver whose effect changes most with age a base risk of its own, where it can have one."""
    tested = cox.proportionality(whole, design, life)
    able = {name: v for name, (d, v) in known.items() if d.kind != "number" and len(d.levels) <= MAX_STRATA}
    by, fit, others = "", whole, _failing(tested)
    for name in others:
        if name in able and life["event"].groupby(able[name]).sum().min() >= MIN_CUSTOMERS:
            tried = cox.fit_cox(_without(name, design), life, able[name])
            if tried.sound:
                by, fit = name, tried
                break
    if by:
        within = f"The effect of {by} changes with age, so customers are compared within its values"
        remarks.append(f"{within}; its own ratios are averages over all ages.")
        again = cox.proportionality(fit, _without(by, design), life, able[by])
        others = _failing(again)
        tested = pd.Series({**dict(tested.items()), **dict(again.items())})
    if others:
        several, names = len(others) > 1, listed(others)
        what, its = (f"effects of {names} change", "their") if several else (f"effect of {names} changes", "its")
        remarks.append(f"The {what} with age: read {its} ratios as averages over all ages.")
    return by, fit, tested


def _ratios(design: pd.DataFrame, fits: tuple[cox.CoxFit, ...], tested: pd.Series) -> Ratios:
    """Estimates by column; those of the stratifying driver are from the first fit, without strata."""
    z = z_value()
    result: Ratios = {key: {"hazard_ratio": np.nan} for key in design}
    for one in fits:
        for key, b, se in zip(one.coefficients.index, one.coefficients, one.errors, strict=True):
            bounds = {"ci_lower": np.exp(b - z * se), "ci_upper": np.exp(b + z * se)}
            tests = {"p_value": chdtrc(1, (b / se) ** 2), "ph_p_value": chdtrc(1, tested[key])}
            result[key] = {"hazard_ratio": np.exp(b), **bounds, **tests}
    return result


def _table(known: Known, ratios: Ratios) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for driver, values in known.values():
        told = [v for v in driver.levels if (driver.name, v) in ratios]
        if told and driver.kind != "number":
            ratios[driver.name, driver.levels[0]] = {"hazard_ratio": 1.0}
            told.insert(0, driver.levels[0])
        for level in told:
            row = {"term": driver.name, "level": level, "n": driver.size(values, level)}
            rows.append(row | ratios[driver.name, level])
    table = pd.DataFrame(rows, columns=TABLE)
    effect = table["hazard_ratio"].astype(float).map(np.log)
    strength = effect.abs().groupby(table["term"]).transform("max")
    reference = table["p_value"].isna() & table["hazard_ratio"].notna()
    order = pd.DataFrame({"s": -strength, "t": table["term"], "r": ~reference, "e": -effect})
    table["level"] = table["level"].where(~reference, table["level"] + REFERENCE)
    return table.loc[order.sort_values(list("stre")).index].reset_index(drop=True)


def _loyal(known: Known, table: pd.DataFrame, life: pd.DataFrame) -> list[str]:
    """Say of each row of the drivers table without a ratio why it has none."""
    result, unknown = [], table[table["hazard_ratio"].isna()]
    for term, level, n in zip(unknown["term"], unknown["level"], unknown["n"], strict=True):
        own = life[known[term][1] == level]
        months = counted(round((own["duration"] - own["entry"].clip(lower=0)).sum()), "month")
        none = f"None of the {counted(n, 'customer')} with {term} {level} left, so no ratio can be given"
        result.append(f"{none}; they are taken to leave at most as ½ in {months}.")
    return result


def _blind(x: pd.DataFrame, life: pd.DataFrame, stratum: pd.Series, horizon: float, remarks: list[str]) -> pd.DataFrame:
    """Give customers the ``risk`` by a model that has not seen them, and the ``kept_share`` of its log ratios.

    Without rows where there is nothing to be checked, or a remark says why not.
    """
    if not len(x.columns) and not stratum.any():
        return life.head(0)
    drawn = np.random.default_rng(0).permutation(len(life))[:CHECKED_ROWS]
    x, life, stratum = x.iloc[drawn], life.iloc[drawn], stratum.iloc[drawn]
    fold, fits = np.arange(len(life)) % FOLDS, []
    seen = [(x[rest], life[rest], stratum[rest]) for rest in (fold != number for number in range(FOLDS))]
    risk, score = np.full(len(life), np.nan), np.ones(len(life))
    for number, part in enumerate(seen):
        held = fold == number
        fit = cox.fit_cox(*part[:2], part[2] if stratum.any() else None)
        if not fit.sound:
            few = "too few customers churned to fit some and predict the rest"
            remarks.append(f"Predictions are not checked, and effects taken in full: {few}.")
            return life.head(0)
        score[held] = cox.scores_of(cox.log_ratios(fit, *part), x[held])
        fits.append(fit)
    kept_share = cox.kept_share(score, life, stratum.astype(str) + fold.astype(str))
    for number, fit in enumerate(fits):
        held = fold == number
        base, log_ratios = cox.completed(fit.shrunk(kept_share), *seen[number])
        risk[held] = cox.risk_from_start(base, cox.scores_of(log_ratios, x[held]), stratum[held], horizon)
    known = life.assign(risk=risk, kept_share=kept_share)
    return known.dropna(subset="risk")  # which is not known where a whole stratum was held back
