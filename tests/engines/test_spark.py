"""Spark as it is met: columns of types that others do not have."""

import ibis
import pytest

import cslib as cs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("spark"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def test_a_map_or_a_list_beside_the_columns_of_the_contract_is_text(spark):
    spark.sql(
        "CREATE OR REPLACE TEMP VIEW odd AS SELECT 'a' AS customer_id, DATE'2024-01-05' AS ordered_on, 1.5 AS amount, "
        "map('k', 1) AS map, array(1, 2) AS list, named_struct('x', 1) AS pair"
    )
    rows = cs.load({"orders": ibis.pyspark.connect(spark).table("odd")}).table("orders")
    assert rows.distinct().execute()[["map", "list", "pair"]].to_numpy().tolist() == [["{k -> 1}", "[1, 2]", "{1}"]]
