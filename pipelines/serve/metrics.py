"""What the service counts, as Prometheus reads it."""

from __future__ import annotations

from interlingua.align.arrays import require

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TEXTS = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one service; routes are named by their pattern, never by what was asked.

    Raises
    ------
    MissingExtraError
        If prometheus-client is not installed.
    """

    def __init__(self) -> None:
        prometheus = require("prometheus_client", extra="serve")
        self._latest = prometheus.generate_latest
        self.media_type: str = prometheus.CONTENT_TYPE_LATEST
        self._registry = registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "interlingua_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = prometheus.Histogram(
            "interlingua_request_seconds", "Seconds to answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self._now = prometheus.Gauge("interlingua_requests_now", "Requests being answered.", registry=registry)
        self._batches = prometheus.Histogram(
            "interlingua_encoder_batch_texts", "Texts of a batch.", buckets=_TEXTS, registry=registry
        )
        self._encoding = prometheus.Counter("interlingua_encoder_seconds", "Seconds of encoding.", registry=registry)
        self._rows = prometheus.Gauge(
            "interlingua_collection_rows", "Passages that are served.", ("collection",), registry=registry
        )

    def now(self, count: int) -> None:
        """Note how many requests are being answered."""
        self._now.set(count)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answer."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def encoded(self, texts: int, seconds: float) -> None:
        """Note a batch of the encoder."""
        self._batches.observe(texts)
        self._encoding.inc(seconds)

    def rows(self, counts: dict[str, int]) -> None:
        """Note how many passages each collection has."""
        self._rows.clear()
        for name, count in counts.items():
            self._rows.labels(name).set(count)

    def text(self) -> bytes:
        """Return everything in Prometheus's form."""
        text: bytes = self._latest(self._registry)
        return text
