"""Options with which slow methods are quick enough for a test of what does not depend on them."""

QUICK = {
    "sr": {"eps": 1.0, "stride": 4},
    "asr": {"eps": 1.0, "stride": 4},
    "csr": {"tolerance": 0.2},
    "pcnn": {"iterations": 20},
    "scm": {"iterations": 20},
    "mwg": {"iterations": 50},
    "mff_ssim": {"iterations": 8, "rate": 1e-2},
    "zmff": {"steps": (1, 0)},
}
