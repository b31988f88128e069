"""Who answers: the share of those asked, by everything on record, and who clearly answers more or less often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from cslib.surveys.answers import ABSENT, SILENT, Answers, Measure
from cslib.surveys.change import tells_silence
from cslib.surveys.scores import family, judged, segmented

REPLY: Final = Measure("answered", 0, ("reply", "neither", "silence"), (2, 0), (0.0, 1.0), (1.0, 1.0))
RATE: Final = {"answered": "response_rate", "ci_lower": "response_ci_lower", "ci_upper": "response_ci_upper"}
COUNTS: Final = {"n_responses": "n_invited", "n_reply": "n_responses"}
TESTED: Final = ["difference_from_rest", "difference_ci_lower", "difference_ci_upper", "p_adjusted"]
RESPONSE: Final = ["segment_by", "segment", *COUNTS.values(), *RATE.values(), *TESTED]


def responses(found: Answers, columns: Sequence[str], *, min_group: int = 10) -> pd.DataFrame:
    """Give the share of those asked who answered, of the whole and of each group, compared with all the others.

    Parameters
    ----------
    found
        As from :func:`cslib.surveys.answers.answers`.
    columns
        Those of its columns that say what customers are, compared as one family as by
        :func:`cslib.surveys.scores.family`. What customers answered elsewhere or earlier stands beside them.
    min_group
        As for :func:`cslib.surveys.scores.scores`: the same groups are merged. A column that is filled in with the
        answer is left out (:func:`cslib.surveys.change.tells_silence`).

    Returns
    -------
    pandas.DataFrame
        ``segment_by``, ``segment`` (``All`` first), ``n_invited``, ``n_responses``, ``response_rate`` (0–1; it and all
        that follows are missing where the data hold answers only), ``response_ci_lower``, ``response_ci_upper``
        (Wilson), ``difference_from_rest`` (the rate minus that of all others of its column), ``difference_ci_lower``,
        ``difference_ci_upper`` (Newcombe, allowing for all compared), ``p_adjusted`` (Holm), ``clear``.
    """
    asked = found.counts[found.counts["now"] >= SILENT]
    useful = [c for c in found.weighting if found.only_answers or not tells_silence(asked, c)]
    given, alone = found.counts["now"], replace(found, counts=found.counts.assign(before=ABSENT))
    groups = {c: segmented(found if c in found.columns else alone, c, min_group)["segment"] for c in useful}
    replied = np.select([given > SILENT, given == SILENT], [1, 0], ABSENT)
    counts = found.counts.assign(**groups, now=replied)
    own, beside = ([c for c in useful if (c in columns) == of] for of in (True, False))
    binary = replace(found, counts=counts, columns=tuple(own), measure=REPLY, earlier={}, only_answers=False)
    table = family(binary, own, beside=beside, min_group=0).drop(columns=["n_invited", "response_rate"])
    table = table.drop(columns=["response_ci_lower", "response_ci_upper"]).rename(columns=RATE | COUNTS)[RESPONSE]
    if found.only_answers:
        table[[*RATE.values(), *TESTED]] = np.nan
    return judged(table)
