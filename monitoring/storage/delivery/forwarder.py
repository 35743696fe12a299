"""The delivery thread: sends the outbox to the database in order, and never gives up."""

import threading
from contextlib import suppress

from monitoring.clock import Clock, Deadline
from monitoring.errors import StoreDenied, StoreError, StoreRefused
from monitoring.models import Window
from monitoring.storage.base import KINDS, Backend, DeliveryRecord, Points, Refusal
from monitoring.storage.delivery.comparison import Comparison, without_superseded
from monitoring.storage.delivery.sending import by_kind, counted_once, like_refused, send_apart
from monitoring.storage.delivery.upkeep import monitor_upkeep
from monitoring.storage.delivery.words import NOT_ASKED_YET, lost_text
from monitoring.storage.sqlite.store import LocalStore
from monitoring.units import DAY_MS, HOUR_MS

DELIVERY_POINTS = 5_000
"""With twice as many a backlog was gone 2 % sooner; half as many in two parallel requests brought nothing."""

SAMPLE_POINTS = 500

IDLE_S = 1.0
FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 30.0

RETRY_MS = HOUR_MS
"""How often refused points are tried again, sooner when similar points are taken; then all that was delivered is counted."""

LOOK_MS = 60_000
"""How often the database is compared with the file while contact lasts: it may have been put back, or lost something."""

WEEK_MS = 7 * DAY_MS
MONDAY_MS = 4 * DAY_MS
"""1970-01-05, a Monday. InfluxDB's shards are weeks that begin on Mondays, and each may have other types of fields."""

EVER_MS = 1 << 42

NOTHING = DeliveryRecord(0, 0, 0)


class Forwarder:
    """Delivers the outbox of `file` to `backend`, in order and at least once. (The same point twice is one point.)

    It reads a delivery when the one before has arrived. After a failure it makes contact anew: the database must prove that
    it works, and is compared with the file. What it lacks goes into the outbox again. When nothing waits, the forwarder
    tries what was refused, compares, and deletes.
    """

    def __init__(self, file: LocalStore, backend: Backend, clock: Clock, *, is_ours: bool = False) -> None:
        self._file = file
        self._backend = backend
        self._clock = clock
        self.upkeep = monitor_upkeep(file, backend, is_ours=is_ours)
        self._marker = file.marker
        self._ending = threading.Event()
        self._work = threading.Event()
        self._progress = threading.Condition()
        self._asked = self._served = 0
        self._backoff_s = 0.0
        self._thread = threading.Thread(target=self.run, name="forwarder", daemon=True)
        self._retry_at_ms = self._tried_ms = self._look_at_ms = 0
        self._compares_next = False
        self.has_met = False
        """There was contact at least once."""
        self.complete_ms = 0
        """Everything committed before this moment has been delivered or refused; 0: not known since contact was made."""
        self.trouble: str | None = NOT_ASKED_YET
        """Why there is no contact; None while there is."""

    def start(self) -> None:
        self._thread.start()

    def notify(self) -> None:
        """The outbox has something new."""
        self._work.set()

    def wait_complete(self, timeout_s: float) -> bool:
        """Wait until everything committed before this call is delivered. False if not in time or without contact."""
        with self._progress:
            self._asked += 1
            mine = self._asked
            self._work.set()
            self._progress.wait_for(lambda: self._served >= mine or self.trouble is not None, timeout_s)
            return self.trouble is None and self._served >= mine

    def close(self, timeout_s: float) -> None:
        """Deliver for so long, then end the thread. The rest stays in the outbox."""
        deadline = Deadline.after(self._clock, round(timeout_s * 1_000))
        self.wait_complete(timeout_s)
        self._ending.set()
        self._work.set()
        self._thread.join(deadline.left_s())

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                busy = self.step()
            except Exception as error:  # noqa: BLE001 - no error may end delivery
                self._lose_contact(f"{type(error).__name__}: {error}")
                busy = False
            if self._backoff_s:
                self._clock.wait(self._ending, self._backoff_s)
            elif not busy:
                self._work.wait(IDLE_S)

    def step(self) -> bool:
        """Make contact, deliver, or use idle time. True: there is more to do at once."""
        self._work.clear()
        try:
            if self.trouble is not None or self._marker != self._file.marker:  # the guard may have changed the file
                self._make_contact()
            busy = self._deliver() or self._use_idle_time()
        except StoreError as error:
            self._lose_contact(str(error))
            return False
        self._backoff_s = 0.0  # only now: a database may pass the proof each time and never take the points
        return busy

    # Contact

    def _make_contact(self) -> None:
        self._marker, self.complete_ms = self._file.marker, 0
        known = self._backend.verify(self._marker)
        own = self._file.delivered()
        if known is not None and known.delivery > own.delivery:
            known = self._begin_anew(known)
        # Requeue before anything is recorded there, so that a kill in between loses nothing.
        if known is None and own.delivery:
            self._file.requeue(0, EVER_MS)
        elif known is not None and is_behind(known, own):
            self._file.requeue(max(0, min(known.newest_ms, known.summarised_ms) - HOUR_MS), EVER_MS)
        self._send_lost_again()
        self.trouble, self.has_met = None, True
        self._try_refused()
        self._look_at_ms = self._clock.now_ms() + LOOK_MS

    def _send_lost_again(self) -> bool:
        comparison = Comparison(self._file, self._backend)
        lost, has_lost_alerts = comparison.lost(), comparison.lost_alerts()
        if lost or has_lost_alerts:
            self.complete_ms = 0
        for window in lost:
            self._file.requeue(window.from_ms, window.until_ms)
        if has_lost_alerts:
            self._file.requeue_alerts()
        return bool(lost) or has_lost_alerts

    def _begin_anew(self, known: DeliveryRecord) -> DeliveryRecord | None:
        """The database has had more of this file than the file has: it was put back from a copy.

        Alerts since the copy was made are taken over; checks are not. New points get later times than those since the copy.
        """
        lost, hosts = Window(self._file.delivered().newest_ms + 1, EVER_MS), set(self._file.hosts())
        last_ms = known.newest_ms
        with suppress(StoreDenied):  # a gateway's token may be for writing only
            self._file.take_over([alert for alert in self._backend.alerts(lost) if alert.host in hosts])
            last_ms = max(last_ms, self._backend.last_time() or 0)
        self._clock.start_after(last_ms)
        self._file.renew_marker()
        self._marker = self._file.marker
        return self._backend.verify(self._marker)

    def _lose_contact(self, reason: str) -> None:
        self._distrust(reason)
        self._backoff_s = min(MAX_BACKOFF_S, self._backoff_s * 2 or FIRST_BACKOFF_S)

    def _distrust(self, reason: str) -> None:
        with self._progress:
            self.complete_ms, self.trouble = 0, reason
            self._progress.notify_all()

    # Delivery

    def _deliver(self) -> bool:
        asked, began_ms = self._asked, self._clock.now_ms()
        delivery = self._file.next_delivery(DELIVERY_POINTS)
        if delivery is not None:
            try:
                refusals = self._send(delivery.points)
            except BaseException:
                self._file.postpone()
                raise
            self._file.acknowledge(delivery, refusals)
            self._backend.record(self._marker, self._file.delivered())
            oldest_ms = self._file.pending().oldest_ms
            if oldest_ms is not None and oldest_ms <= began_ms:
                return True
        with self._progress:
            self.complete_ms, self._served = began_ms, asked
            self._progress.notify_all()
        return delivery is not None

    def _send(self, points: Points) -> list[Refusal]:
        """Points similar to refused ones go in a request of their own, so that the others need no bisection."""
        known, refusals, takes_like_refused = self._file.refusals(), list[Refusal](), False
        for kind, own in by_kind(points).items():
            suspects = like_refused(kind, own, known)
            refusals += send_apart(self._backend.write, kind, without_superseded(self._backend, kind, own), suspects)
            takes_like_refused |= bool(suspects)
        if takes_like_refused and not refusals:
            self._retry_at_ms = min(self._retry_at_ms, self._tried_ms + LOOK_MS)
        return list(counted_once(refusals, known, points))

    # When nothing waits

    def _use_idle_time(self) -> bool:
        now_ms = self._clock.now_ms()
        if now_ms >= self._retry_at_ms:
            self._compares_next = True
            return self._try_refused()
        if self._compares_next:
            self._compares_next = False
            if self._send_lost_again():
                return True
        if now_ms >= self._look_at_ms:
            self._look()
        return self.upkeep.step(now_ms)

    def _try_refused(self) -> bool:
        """Send a sample of each kind that was refused. Where the database takes some of it, send the rest as well."""
        now_ms = self._tried_ms = self._clock.now_ms()
        next_week_ms = now_ms - (now_ms - MONDAY_MS) % WEEK_MS + WEEK_MS
        self._retry_at_ms = min(now_ms + RETRY_MS, next_week_ms)
        refused_kinds = {refusal.kind for refusal in self._file.refusals() if not refusal.by_age}
        taken = [kind for kind in KINDS if kind in refused_kinds and self._takes(kind)]
        for kind in taken:
            self.complete_ms = 0
            self._file.retry_refused(kind)
            self._compares_next = True  # points that were lost counted as refused until now
        return bool(taken)

    def _takes(self, kind: str) -> bool:
        sample = self._file.refused_sample(kind, SAMPLE_POINTS)
        if not len(sample):
            return False
        try:
            self._backend.write(sample)
        except StoreRefused as error:
            return error.dropped is not None and error.dropped < len(sample)
        return True

    def _look(self) -> None:
        """Compare the database with the file, though contact has lasted. If it lacks something, make contact anew."""
        known, own = self._backend.verify(self._marker) or NOTHING, self._file.delivered()
        agrees = known.delivery == own.delivery and not is_behind(known, own)
        if not agrees or Comparison(self._file, self._backend).recently_lost():
            self._distrust(lost_text(self._backend.name))
        self._look_at_ms = self._clock.now_ms() + LOOK_MS


def is_behind(known: DeliveryRecord, own: DeliveryRecord) -> bool:
    """Whether the database remembers less than the file has delivered. (Entries may be delivered in parts.)"""
    pairs = ((known.delivery, own.delivery), (known.newest_ms, own.newest_ms), (known.summarised_ms, own.summarised_ms))
    return any(there < here for there, here in pairs)
