"""When an entry of the register carries leases, what it promises, and what counts as under way."""

from __future__ import annotations

import itertools
import random
import threading

import pytest

from migrator.client.book import Book
from migrator.client.errors import OutcomeUnknown, RouteFenced
from migrator.client.follower import Follower, Grant, Refresh
from migrator.client.lease import WriteLease
from migrator.client.presence import IDLE_SECONDS, LEFT_SECONDS, MOST_KEYS, AreaView, Letter, Presence
from migrator.client.work import Work
from migrator.client.writes import Attempt
from migrator.model.hosts import Hosts
from migrator.model.register import LEFT, RollEntry
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord
from migrator.model.values import replace

KEY, OTHER = "europe/images", "europe/events"
GENERATION = "3f9c"
CLEAR = AreaView(7, is_fenced=False, is_clear=True)
BUSY = AreaView(7, is_fenced=False, is_clear=False)
FENCED = AreaView(8, is_fenced=True, is_clear=True)
FENCED_BUSY = AreaView(8, is_fenced=True, is_clear=False)


def presence() -> Presence:
    numbers = itertools.count(1)
    return Presence("images", ids=lambda: f"{next(numbers):032x}")


def entered(*keys: str, at: float = 100.0) -> Presence:
    """Entered for ``keys`` by a writing that was sent at ``at`` and acknowledged a tenth of a second later."""
    found = presence()
    for key in keys or (KEY,):
        found.want(key, at)
    letter = found.letter(GENERATION, 30, at, lambda key: CLEAR)
    assert letter is not None
    found.acknowledged(letter, at, at + 0.1)
    return found


def said(letter: Letter | None) -> dict[str, int]:
    assert letter is not None
    assert letter.text is not None
    clear = RollEntry.decode(letter.text).clear
    assert clear == letter.promises
    return dict(clear)


class TestWhatCarriesALease:
    def test_nothing_before_the_first_acknowledgement(self) -> None:
        found = presence()
        found.want(KEY, 100)
        letter = found.letter(GENERATION, 30, 100, lambda key: CLEAR)
        assert letter is not None
        assert letter.is_new
        assert found.entered(KEY, GENERATION, 100) is None
        found.acknowledged(letter, 100, 101)
        assert found.entered(KEY, GENERATION, 101) == (101, 160)

    def test_the_lifetime_counts_from_the_sending_of_the_newest_acknowledged_writing(self) -> None:
        found = entered()
        assert found.entered(KEY, GENERATION, 159.9) == (100.1, 160)
        assert found.entered(KEY, GENERATION, 160) is None
        letter = found.letter(GENERATION, 30, 120, lambda key: CLEAR)
        assert letter is not None
        assert not letter.is_new
        assert found.entered(KEY, GENERATION, 121) == (100.1, 160), "a writing that was not answered carries nothing"
        found.acknowledged(letter, 120, 125)
        assert found.entered(KEY, GENERATION, 179.9) == (100.1, 180)

    def test_an_acknowledgement_that_comes_too_late_revives_nothing(self) -> None:
        """Its reader may have taken the silent one for dead, and swept its entry."""
        found = entered()
        letter = found.letter(GENERATION, 30, 150, lambda key: CLEAR)
        assert letter is not None
        found.acknowledged(letter, 150, 160)
        assert found.entered(KEY, GENERATION, 160) is None
        again = found.letter(GENERATION, 30, 160, lambda key: BUSY)
        assert again is not None
        assert again.is_new
        assert again.id != letter.id

    def test_for_an_entry_that_is_over_it_is_said_that_it_has_left_once_nothing_is_under_way(self) -> None:
        """Its reader waits for it else as for a dead one."""
        found = entered()
        old = found.letter(GENERATION, 30, 150, lambda key: CLEAR)
        assert old is not None
        new = found.letter(GENERATION, 30, 160, lambda key: FENCED_BUSY)
        assert new is not None
        assert new.is_new
        found.acknowledged(new, 160, 160.1)
        assert found.letter(GENERATION, 30, 161, lambda key: FENCED_BUSY) is None
        answer = found.letter(GENERATION, 30, 162, lambda key: FENCED)
        assert said(answer) == {KEY: 8}
        assert answer is not None
        found.acknowledged(answer, 162, 162.1)
        for _ in range(2):
            last = found.letter(GENERATION, 30, 163, lambda key: FENCED)
            assert last is not None
            assert (last.id, said(last)) == (old.id, {KEY: LEFT})
        found.acknowledged(last, 163, 163.1)
        assert found.letter(GENERATION, 30, 164, lambda key: FENCED) is None
        assert found.entered(KEY, GENERATION, 164) == (160.1, 222)

    def test_of_one_that_is_over_nothing_is_said_once_it_is_gone(self) -> None:
        found = entered()
        new = found.letter(GENERATION, 30, 160, lambda key: CLEAR)
        assert new is not None
        assert new.is_new
        found.acknowledged(new, 160, 160)
        letter = found.letter(GENERATION, 30, 161, lambda key: CLEAR)
        assert letter is not None
        assert said(letter) == {KEY: LEFT}
        found.gone(letter)
        assert found.letter(GENERATION, 30, 162, lambda key: CLEAR) is None
        assert not found.has_left

    def test_an_entry_that_was_never_acknowledged_is_tried_again_under_its_id(self) -> None:
        """Each other id would be one more that never answers."""
        found = presence()
        found.want(KEY, 100)
        first, second = (found.letter(GENERATION, 30, at, lambda key: CLEAR) for at in (100, 106))
        assert first is not None
        assert second is not None
        assert first.id == second.id
        assert second.is_new

    def test_one_that_somebody_took_away_is_entered_anew(self) -> None:
        found = entered()
        letter = found.letter(GENERATION, 30, 120, lambda key: CLEAR)
        assert letter is not None
        found.gone(letter)
        assert found.entered(KEY, GENERATION, 121) is None
        again = found.letter(GENERATION, 30, 121, lambda key: CLEAR)
        assert again is not None
        assert again.id != letter.id

    def test_another_register_is_another_entry(self) -> None:
        found = entered()
        assert found.entered(KEY, "other", 101) is None
        letter = found.letter("other", 30, 101, lambda key: CLEAR)
        assert letter is not None
        assert letter.generation == "other"
        assert letter.is_new
        assert found.entered(KEY, GENERATION, 101) is None

    def test_another_area_is_another_entry(self) -> None:
        """The keys of an id never change: a late writing of the first would take the second area back."""
        found = entered(KEY)
        found.want(OTHER, 101)
        letter = found.letter(GENERATION, 30, 101, lambda key: CLEAR)
        assert said(letter) == {OTHER: 7}
        assert found.entered(OTHER, GENERATION, 101) is None
        assert found.entered(KEY, GENERATION, 101) is not None

    def test_areas_that_are_asked_for_together_share_one(self) -> None:
        keys = [f"europe/{number}" for number in range(MOST_KEYS + 5)]
        found = presence()
        for key in keys:
            found.want(key, 100)
        first = said(found.letter(GENERATION, 30, 100, lambda key: CLEAR))
        assert len(first) == MOST_KEYS

    def test_an_area_whose_record_nobody_read_is_not_entered(self) -> None:
        found = presence()
        found.want(KEY, 100)
        assert found.letter(GENERATION, 30, 100, lambda key: AreaView(0, False, True)) is None

    def test_names_that_are_too_long_together_are_entered_apart(self) -> None:
        found = presence()
        keys = [letter * 1500 for letter in "abc"]
        for key in keys:
            found.want(key, 100)
        named: set[str] = set()
        while (letter := found.letter(GENERATION, 30, 100, lambda key: CLEAR)) is not None:
            named |= set(said(letter))
            found.acknowledged(letter, 100, 100)
        assert named == set(keys)

    @pytest.mark.parametrize(("ttl", "lifetime"), [(0.5, 60), (30, 60), (300, 600), (80_000, 3600)])
    def test_a_lifetime_follows_ttl_within_bounds(self, ttl: float, lifetime: float) -> None:
        found = presence()
        found.want(KEY, 100)
        letter = found.letter(GENERATION, ttl, 100, lambda key: CLEAR)
        assert letter is not None
        assert RollEntry.decode(letter.text or "").lifetime_seconds == lifetime


class TestWhatIsPromised:
    def test_the_epoch_that_was_seen_where_nothing_is_under_way(self) -> None:
        found = presence()
        found.want(KEY, 100)
        assert said(found.letter(GENERATION, 30, 100, lambda key: CLEAR)) == {KEY: 7}

    def test_nothing_while_something_is_under_way(self) -> None:
        found = presence()
        found.want(KEY, 100)
        assert said(found.letter(GENERATION, 30, 100, lambda key: BUSY)) == {KEY: 0}

    def test_a_promise_is_not_taken_back(self) -> None:
        found = entered()
        assert said(found.letter(GENERATION, 30, 120, lambda key: BUSY)) == {KEY: 7}

    def test_a_fence_is_answered_at_once_and_once(self) -> None:
        found = entered()
        letter = found.letter(GENERATION, 30, 101, lambda key: FENCED)
        assert said(letter) == {KEY: 8}
        assert letter is not None
        found.acknowledged(letter, 101, 101.1)
        assert found.letter(GENERATION, 30, 101.2, lambda key: FENCED) is None

    def test_an_answer_that_was_lost_is_said_again(self) -> None:
        found = entered()
        assert said(found.letter(GENERATION, 30, 101, lambda key: FENCED)) == {KEY: 8}
        assert said(found.letter(GENERATION, 30, 102, lambda key: FENCED)) == {KEY: 8}

    def test_a_fence_is_not_answered_while_a_write_is_under_way(self) -> None:
        found = entered()
        assert found.letter(GENERATION, 30, 101, lambda key: FENCED_BUSY) is None
        assert said(found.letter(GENERATION, 30, 121, lambda key: FENCED_BUSY)) == {KEY: 7}, "it renews nevertheless"

    def test_each_area_answers_for_itself(self) -> None:
        found = entered(KEY, OTHER)
        stands = {KEY: FENCED, OTHER: BUSY}
        assert said(found.letter(GENERATION, 30, 101, stands.__getitem__)) == {KEY: 8, OTHER: 7}

    def test_a_new_epoch_that_is_no_fence_waits_for_the_next_renewal(self) -> None:
        found = entered()
        later = AreaView(9, is_fenced=False, is_clear=True)
        assert found.letter(GENERATION, 30, 101, lambda key: later) is None
        assert said(found.letter(GENERATION, 30, 120, lambda key: later)) == {KEY: 9}


class TestLeaving:
    @pytest.mark.parametrize("view", [CLEAR, FENCED])
    def test_whoever_closes_says_that_it_left(self, view: AreaView) -> None:
        """Its reader could not tell it from one whose entry somebody removed, in a fence and long before the next one."""
        found = entered()
        (letter,) = found.farewells(lambda key: view)
        assert said(letter) == {KEY: LEFT}
        assert found.entered(KEY, GENERATION, 101) is None

    def test_with_a_write_under_way_it_says_nothing_and_ages(self) -> None:
        found = entered()
        assert found.farewells(lambda key: BUSY) == []
        assert found.entered(KEY, GENERATION, 101) is None

    def test_whoever_is_asked_for_nothing_any_more_leaves(self) -> None:
        found = entered()
        now = 100.0
        while now < 100 + IDLE_SECONDS:
            letter = found.letter(GENERATION, 30, now, lambda key: CLEAR)
            if letter is not None:
                assert letter.text is not None
                found.acknowledged(letter, now, now)
            now += 5
        busy = found.letter(GENERATION, 30, now, lambda key: BUSY)
        assert busy is None or busy.text is not None
        letter = found.letter(GENERATION, 30, now + 1, lambda key: CLEAR)
        assert letter is not None
        assert said(letter) == {KEY: LEFT}
        assert found.entered(KEY, GENERATION, now + 1) is None
        assert found.wanted == [KEY], "until it is acknowledged"
        found.acknowledged(letter, now + 1, now + 1)
        assert found.wanted == []
        found.want(KEY, now + 2)
        again = found.letter(GENERATION, 30, now + 2, lambda key: CLEAR)
        assert again is not None
        assert again.id != letter.id

    def test_an_entry_that_says_so_is_removed_when_everybody_has_read_it(self) -> None:
        """Else those of a process that writes every few minutes would fill the register, where no engine is at work for weeks."""
        found = entered()
        found.letter(GENERATION, 30, 100 + IDLE_SECONDS, lambda key: CLEAR)
        said_at = 101 + IDLE_SECONDS
        last = found.letter(GENERATION, 30, said_at, lambda key: CLEAR)
        assert last is not None
        assert said(last) == {KEY: LEFT}
        found.acknowledged(last, said_at, said_at)
        assert found.wanted == []
        assert found.has_left
        assert found.renew_at == said_at + LEFT_SECONDS
        assert found.letter(GENERATION, 30, said_at + LEFT_SECONDS - 0.1, lambda key: CLEAR) is None
        for _ in range(2):
            removal = found.letter(GENERATION, 30, said_at + LEFT_SECONDS, lambda key: CLEAR)
            assert removal is not None, "until it is acknowledged"
            assert (removal.id, removal.text) == (last.id, None)
        found.acknowledged(removal, said_at + LEFT_SECONDS, said_at + LEFT_SECONDS)
        assert not found.has_left
        assert found.letter(GENERATION, 30, said_at + LEFT_SECONDS + 1, lambda key: CLEAR) is None


class TestWork:
    def test_what_ends_is_over_and_what_nobody_ends_is_over_at_its_bound(self) -> None:
        work = Work()
        one, _ = work.begin(KEY, 110), work.begin(KEY, 120)
        assert work.clear_at(OTHER, 100) is None
        assert work.clear_at(KEY, 100) == 120
        one.over()
        one.over()
        assert work.clear_at(KEY, 119.9) == 120
        assert work.clear_at(KEY, 120) is None

    def test_a_bound_is_never_rounded_down(self) -> None:
        work = Work()
        work.begin(KEY, 110.01)
        assert work.clear_at(KEY, 110.009) is not None
        assert work.clear_at(KEY, 110.26) is None

    def test_equal_bounds_are_counted(self) -> None:
        work = Work()
        first, second = work.begin(KEY, 110), work.begin(KEY, 110)
        first.over()
        assert work.clear_at(KEY, 100) is not None
        second.over()
        assert work.clear_at(KEY, 100) is None

    def test_the_last_that_ends_is_told(self) -> None:
        told: list[int] = []
        work = Work(lambda: told.append(1))
        first, second = work.begin(KEY, 110), work.begin(KEY, 120)
        first.over()
        assert told == []
        second.over()
        assert told == [1]

    def test_nothing_begins_under_what_is_over(self) -> None:
        work = Work()
        lease = work.begin(KEY, 110)
        request = lease.also(115)
        assert request is not None
        lease.over()
        assert lease.also(115) is None
        assert work.clear_at(KEY, 100) == 115
        request.over()
        assert work.clear_at(KEY, 100) is None

    def test_threads_lose_no_count(self) -> None:
        work = Work()

        def busy() -> None:
            for number in range(500):
                lease = work.begin(KEY, 1000 + number % 3)
                request = lease.also(1000)
                lease.over()
                assert request is not None
                assert work.clear_at(KEY, 100) is not None
                request.over()

        threads = [threading.Thread(target=busy) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert work.clear_at(KEY, 100) is None


def lease_of(work: Work, now: float = 100.0) -> WriteLease:
    grant = Grant(KEY, "https://old.blob.example", "old", 7, 130.0, 60.0)
    return WriteLease(grant, lambda: now, work.begin(KEY, grant.expires + grant.max_write_seconds))


class TestLeasesThatAreCounted:
    def test_a_lease_in_hand_counts_until_what_began_under_it_must_have_ended(self) -> None:
        work = Work()
        lease_of(work)
        assert work.clear_at(KEY, 100) == 190

    def test_a_lease_that_is_given_back_begins_nothing_more(self) -> None:
        work = Work()
        with lease_of(work) as lease, lease.request() as request:
            assert work.clear_at(KEY, 100) == 190
            request.check()
        assert work.clear_at(KEY, 100) is None
        for act in (lease.check, lease.request):
            with pytest.raises(RouteFenced, match="over"):
                act()

    def test_a_request_outlives_its_lease(self) -> None:
        work = Work()
        lease = lease_of(work)
        request = lease.request()
        lease.close()
        assert work.clear_at(KEY, 100) == 160
        request.done()
        assert work.clear_at(KEY, 100) is None

    def test_after_an_error_nobody_knows_what_was_sent(self) -> None:
        work = Work()
        with pytest.raises(KeyError), lease_of(work) as lease, lease.request():
            raise KeyError
        assert work.clear_at(KEY, 100) == 190


class TestTriesThatAreCounted:
    """Of one request, as the policies send it."""

    def attempt(self, work: Work) -> Attempt:
        return Attempt(KEY, "PUT", "https://old.blob.example/c/b", {})

    def test_an_answer_ends_it(self) -> None:
        work = Work()
        attempt = self.attempt(work)
        with lease_of(work) as lease:
            attempt.admit(lease)
        attempt.over()
        assert work.clear_at(KEY, 100) == 160, "nobody has answered yet"
        attempt.answered(201, {})
        attempt.over()
        assert work.clear_at(KEY, 100) is None

    @pytest.mark.parametrize("status", [None, 500, 408])
    def test_a_try_of_which_nobody_knows_counts_to_the_end_whatever_the_next_one_is_answered(
        self, status: int | None
    ) -> None:
        """It may be applied late, on top of what the drain has copied."""
        work = Work()
        attempt = self.attempt(work)
        for answer in (status, 201):
            with lease_of(work) as lease:
                attempt.admit(lease)
            if answer is None:
                attempt.unanswered()
            else:
                attempt.answered(answer, {})
        attempt.over()
        assert work.clear_at(KEY, 100) == 160

    def test_a_try_that_surely_was_not_sent_ends(self) -> None:
        work = Work()
        attempt = self.attempt(work)
        with lease_of(work) as lease:
            attempt.admit(lease)
        attempt.unanswered(is_sent=False)
        attempt.over()
        assert work.clear_at(KEY, 100) is None

    def test_a_refusal_before_anything_was_sent_ends(self) -> None:
        work = Work()
        attempt = Attempt(KEY, "PUT", "https://new.blob.example/c/b", {})
        with pytest.raises(RouteFenced), lease_of(work) as lease:
            attempt.admit(lease)
        attempt.over()
        assert work.clear_at(KEY, 100) == 190, "the lease alone"

    def test_an_unknown_outcome_counts_to_the_end(self) -> None:
        work = Work()
        attempt = Attempt(KEY, "PUT", "https://old.blob.example/c/b?comp=appendblock", {})
        with lease_of(work) as lease:
            attempt.admit(lease)
        assert not attempt.unanswered()
        with pytest.raises(OutcomeUnknown):
            attempt.finish()
        attempt.over()
        assert work.clear_at(KEY, 100) == 160


def document(mode: Mode, epoch: int, *, version: int = 2, look: float | None = None) -> RouteDocument:
    record = RouteRecord("old", "https://old.blob.example", mode, epoch, "lineage", "", "", look)
    return RouteDocument(30, 60, {KEY: record}, version, GENERATION)


class TestFollower:
    def test_without_an_entry_version_2_grants_nothing_and_version_1_does(self) -> None:
        follower = Follower(KEY)
        follower.observe(document(READ_WRITE, 7), 100)
        assert follower.is_missing_in_register(101)
        with pytest.raises(RouteFenced) as caught:
            follower.lease(101)
        assert caught.value.reason == "unregistered"
        assert follower.resolve(101).endpoint == "https://old.blob.example"
        old = Follower(KEY)
        old.observe(document(READ_WRITE, 7, version=1), 100)
        assert old.lease(101).epoch == 7

    def test_a_record_that_was_asked_for_before_the_entry_was_acknowledged_grants_nothing(self) -> None:
        """The roll may have been read in between, and the fence be written."""
        follower = Follower(KEY, entered=entered(at=100).entered)
        follower.observe(document(READ_WRITE, 7), 100.05)
        with pytest.raises(RouteFenced):
            follower.lease(101)
        assert follower.write_refresh(101) is Refresh.MUST
        follower.observe(document(READ_WRITE, 7), 101)
        assert follower.lease(101).expires == 131

    def test_a_lease_ends_with_the_entry(self) -> None:
        follower = Follower(KEY, entered=entered(at=100).entered)
        follower.observe(document(READ_WRITE, 7), 150)
        assert follower.lease(151).expires == 160
        with pytest.raises(RouteFenced):
            follower.lease(160)

    def test_an_entry_of_another_register_carries_nothing(self) -> None:
        follower = Follower(KEY, entered=entered(at=100).entered)
        other = RouteDocument(30, 60, document(READ_WRITE, 7).routes, 2, "other")
        follower.observe(other, 101)
        with pytest.raises(RouteFenced):
            follower.lease(102)

    def test_it_looks_as_often_as_the_record_says_but_not_for_ever(self) -> None:
        follower = Follower(KEY)
        assert follower.look_seconds == 1
        follower.observe(document(READ_WRITE, 7), 100)
        assert follower.look_seconds == 15
        follower.observe(document(READ_WRITE, 7, look=2), 110)
        assert follower.look_seconds == 2
        follower.observe(document(READ_WRITE, 7, look=2), 709)
        assert follower.look_seconds == 2
        follower.observe(document(READ_WRITE, 7, look=2), 710)
        assert follower.look_seconds == 15
        follower.observe(document(READ_WRITE, 7, look=3), 711)
        assert follower.look_seconds == 3
        follower.observe(document(READ_WRITE, 7, look=100), 712)
        assert follower.look_seconds == 15
        follower.observe(document(READ_WRITE, 7, look=0.001), 713)
        assert follower.look_seconds == 0.5
        follower.observe(document(READ_ONLY, 8), 714)
        assert (follower.look_seconds, follower.is_fenced) == (1, True)


class TestTheQuickAnswer:
    @pytest.mark.parametrize("seed", range(40))
    def test_where_it_is_quiet_there_is_no_letter(self, seed: int) -> None:
        """As long as no area is read-only. Whoever is not quiet is asked in full, so the quick answer may only err that way."""
        chance, found, now, quiet = random.Random(seed), presence(), 100.0, 0
        generation, letters = GENERATION, list[Letter]()
        for _ in range(80):
            now += chance.choice((0.0, 0.5, 5.0, 21.0, 61.0, IDLE_SECONDS))
            match chance.randrange(5):
                case 0 | 1:
                    found.want(chance.choice((KEY, OTHER)), now)
                case 2 if letters:
                    found.acknowledged(letters[-1], now - 0.1, now)
                case 3 if chance.random() < 0.1:
                    generation = chance.choice((GENERATION, "77aa"))
                case 4 if letters and chance.random() < 0.2:
                    found.gone(letters[-1])
            is_quiet, view = found.is_quiet(generation, now), chance.choice((CLEAR, BUSY))
            letter = found.letter(generation, 30, now, lambda key, view=view: view)  # type: ignore[misc]
            assert not (is_quiet and letter)
            quiet += is_quiet
            letters += [letter] if letter else []
        assert letters

    def test_it_is_quiet_between_two_renewals(self) -> None:
        found = entered(KEY, OTHER)
        assert found.is_quiet(GENERATION, 119.9)
        assert not found.is_quiet(GENERATION, 120)
        assert not found.is_quiet("77aa", 110), "another register"
        found.want("europe/others", 110)
        assert not found.is_quiet(GENERATION, 110), "an area that no entry names"


class TestADocumentThatNobodyChanged:
    def test_it_is_read_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read, decode = list[bytes](), RouteDocument.decode

        def counted(raw: bytes) -> RouteDocument:
            read.append(raw)
            return decode(raw)

        monkeypatch.setattr(RouteDocument, "decode", counted)
        record = RouteRecord("eu-web", "https://euweb.blob.core.windows.net", READ_WRITE, 7, "3f", "", "")
        one, two = (
            RouteDocument(30, 60, {KEY: replace(record, epoch=epoch)}, version=2, register=GENERATION).encode()
            for epoch in (7, 8)
        )
        book = Book("x", Hosts.of())
        follower = book.follower("europe", "images")
        for at, raw in enumerate((one, one, two, b"{", two, one)):
            book.take(raw, 100.0 + at)
        assert read == [one, two, b"{", one]
        assert follower.is_refused, "its epoch went back"

    def test_each_answer_counts_all_the_same(self) -> None:
        record = RouteRecord("eu-web", "https://euweb.blob.core.windows.net", READ_WRITE, 7, "3f", "", "")
        raw = RouteDocument(30, 60, {KEY: record}).encode()
        book = Book("x", Hosts.of())
        follower = book.follower("europe", "images")
        for at in (100.0, 110.0):
            book.take(raw, at)
            assert follower.lease(at).expires == at + 30
        book.take(b"{", 120.0)
        book.take(raw, 125.0)
        assert book.write_refresh(follower, 125.0) is Refresh.NO
