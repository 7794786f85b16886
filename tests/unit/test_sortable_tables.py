"""Tables that readers sort and search hold all of their rows."""

import numpy as np
import pandas as pd
import pytest

from mffrepro.report import tables

itables = pytest.importorskip("itables")


def test_no_row_of_a_large_table_is_left_out(monkeypatch):
    shown = []
    monkeypatch.setattr(itables, "init_notebook_mode", lambda **_: None)
    monkeypatch.setattr(itables, "show", lambda table, **options: shown.append(itables.to_html_datatable(table, **options)))
    table = pd.DataFrame(np.random.default_rng(0).random((400, 30)))
    table[0] = [f"row {n} ends" for n in range(400)]
    tables.sortable(table)
    assert all(f"row {n} ends" in shown[0] for n in range(400))
    assert "downsampled" not in shown[0]
