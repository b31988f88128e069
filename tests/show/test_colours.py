import itertools

import pytest
from seaborn.utils import relative_luminance

from cslib.show import colours
from cslib.show.charts import FIXED
from cslib.show.estimates import DARK_TEXT

LIGHT, DARK = "#ffffff", "#14181d"
FAMILIES = {"gains": colours.GAINS, "losses": colours.LOSSES, "years": colours.YEARS, "kinds": colours.KINDS}


def contrast(a, b):
    high, low = sorted([relative_luminance(a) + 0.05, relative_luminance(b) + 0.05], reverse=True)
    return high / low


@pytest.mark.parametrize("family", FAMILIES)
def test_marks_hold_three_to_one_on_the_ground_of_their_theme(family):
    for light, dark in FAMILIES[family].items():
        assert contrast(light, LIGHT) >= 3
        assert contrast(dark, DARK) >= 3


@pytest.mark.parametrize("family", ["years", "kinds"])
def test_names_in_the_colours_of_lines_can_be_read(family):
    for name in map(colours.lettered, FAMILIES[family]):
        assert contrast(name, LIGHT) >= 4.5
        assert contrast(colours.DARK[name], DARK) >= 4.5


@pytest.mark.parametrize("family", FAMILIES)
def test_neighbours_in_a_stack_are_told_apart_by_their_luminance(family):
    """Four years on either ground, three kinds, and the movements of MRR."""
    shades = {"years": colours.years(4), "kinds": colours.kinds(3)}.get(family, tuple(FAMILIES[family]))
    for drawn in (shades, [colours.DARK[shade] for shade in shades]):
        assert all(contrast(a, b) >= 1.35 for a, b in itertools.pairwise(drawn))


def test_the_newest_year_is_the_strongest_on_either_ground():
    light = [relative_luminance(shade) for shade in colours.years(8)]
    dark = [relative_luminance(colours.DARK[shade]) for shade in colours.years(8)]
    assert light == sorted(set(light), reverse=True)
    assert dark == sorted(set(dark))


def test_names_of_years_are_in_the_colours_of_their_lines_where_these_can_be_read():
    old, *_, new = colours.years(4)
    assert colours.lettered(new) == new
    assert contrast(old, LIGHT) < 4.5 <= contrast(colours.lettered(old), LIGHT)


def test_answers_between_are_seen_as_marks_and_their_name_and_figures_are_read():
    assert contrast(colours.MIDDLE, LIGHT) >= 3
    assert contrast(colours.MIDDLE, DARK) >= 3
    assert contrast(colours.lettered(colours.MIDDLE), LIGHT) >= 4.5
    assert contrast(DARK_TEXT, colours.MIDDLE) >= 4.5


def test_no_colour_means_two_things():
    segments = {*colours.PALETTE[:3], *FIXED.values(), *colours.SHADES}
    others = [segments, *map(set, FAMILIES.values()), {colours.WELL, colours.MIDDLE, colours.ILL}, {*colours.BESIDE}]
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(others, 2))
