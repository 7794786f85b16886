"""The programs whose numbers the metrics reproduce, by the names that tables show."""

TOOLBOX = "Liu's imageFusionMetrics"
COLLECTION = "MFIF-Metrics"
KUMAR = "Kumar's evaluation code"
SKIMAGE = "scikit-image"
GACN = "GACN's evaluation program"
HERE = "defined here"
