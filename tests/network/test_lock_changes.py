"""What a renewed lock changes is told: versions on lock files of three lines, numbers on one recorded pair."""

import pandas as pd
import pytest
from lock_changes import numbers, pins, table, versions

OLD = "a==1.0 \\\n    --hash=sha256:00\nb[x]==2 ; python_version < '3.12'\nb[x]==3 ; python_version >= '3.12'\nc==1\n"
NEW = "a==1.1 \\\n    --hash=sha256:11\nb[x]==3\nd==1\n"


def test_versions_that_differ_are_listed():
    assert pins(OLD) == {"a": "1.0", "b": "2, 3", "c": "1"}
    assert versions(OLD, NEW).to_dict("split")["data"] == [
        ["a", "1.0", "1.1"],
        ["b", "2, 3", "3"],
        ["c", "1", ""],
        ["d", "", "1"],
    ]
    assert versions(OLD, OLD).empty


def test_a_table_is_markdown():
    frame = pd.DataFrame({"metric": ["qg"], "change": [0.25]})
    assert table(frame, "nothing") == "| metric | change |\n| --- | --- |\n| qg | 0.25 |"
    assert table(frame[:0], "nothing") == "nothing"


def test_the_recorded_numbers_of_a_pair_are_those_of_today(mirror):
    found = numbers("gacn26", 1)
    assert found.empty, found.to_string()


def test_a_number_that_moved_is_listed(mirror, monkeypatch):
    import lock_changes

    recorded = lock_changes.read_record("gacn26")
    moved = recorded.assign(value=recorded["value"].where(recorded["metric"] != "qg", recorded["value"] * 1.01))
    monkeypatch.setattr(lock_changes, "read_record", lambda dataset: moved)
    assert set(numbers("gacn26", 1)["metric"]) == {"qg"}


@pytest.mark.parametrize("name", ["METHODS", "METRICS"])
def test_the_names_exist(name):
    import lock_changes

    import mffrepro as mff

    known = mff.list_methods().index if name == "METHODS" else mff.list_metrics().index
    assert set(getattr(lock_changes, name)) <= set(known)
