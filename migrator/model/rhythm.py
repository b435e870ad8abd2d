"""How often the tool looks, how long it waits, how often it tries, and how much it takes at once: one value, a line per figure.

Decides figures only. Nobody configures these: a plan has what operators decide. The engine is handed a ``Rhythm`` with its
world, and hands it to a ``Transfer``, so that a simulation and a rehearsal give another one.

Not here: what others rely on. The client's figures and the lock's are protocol.
"""

from __future__ import annotations

from typing import Final

from migrator.model.objects import BLOCK_BYTES, SYNC_COPY_LIMIT_BYTES
from migrator.model.schedule import POLICY_PROPAGATION_SECONDS
from migrator.model.values import value


@value(frozen=True, slots=True)
class Sizes:
    """How much the data plane takes at once."""

    sync_copy_limit_bytes: int = SYNC_COPY_LIMIT_BYTES
    """bytes; a larger blob is copied by its service in blocks"""
    server_block_bytes: int = 64 * 1024 * 1024
    """bytes of one Put Block From URL: large enough for few requests, small enough that a lost answer costs little"""
    block_bytes: int = BLOCK_BYTES
    """bytes; a larger blob goes through this machine in blocks"""
    stream_block_bytes: int = 8 * 1024 * 1024
    """bytes of a block that goes through this machine, unless there would be more than ``most_blocks`` of them"""
    largest_stream_block_bytes: int = 64 * 1024 * 1024
    """bytes, of a blob that would have too many blocks otherwise: some 3 TiB go through this machine, with three held at once"""
    most_blocks: int = 50_000
    """blocks of one blob, by "Put Block List" of Azure"""
    parallel_blocks: int = 4
    """blocks of one blob that its service copies at once, at first"""
    most_parallel_blocks: int = 32
    """blocks of one blob that its service copies at once, where that pays"""
    most_parallel: int = 512
    """names of one pass that go one by one, at once, where that pays; what is held of them has bounds of its own"""
    blocks_ahead: int = 2
    """blocks of one blob that are written while the next is read"""
    streams: int = 4
    """larger blobs that go through this machine at once"""
    small_stream_bytes: int = 1024 * 1024
    """bytes; blobs up to this are held whole, beside each other as they come"""
    held_bytes: int = 32 * 1024 * 1024
    """bytes of all small blobs together that are on their way through this machine"""
    page_write_bytes: int = 4 * 1024 * 1024
    """bytes of one Put Page, and of one Append Block unless there would be more than ``most_blocks`` of them"""
    split_at: int = 10_000
    """names; most of one range (24 bytes of evidence each)"""
    piece: int = 5_000
    """names of a piece split off a range that grew too large"""
    first_piece: int = 2_500
    """names of the first piece of a first copy, which is cut as soon as a piece is there: hands wait for it"""
    names_in_flight: int = 20_000
    """names of ranges that are settled side by side: while one waits for its last answers, the next is handed out"""
    lanes: int = 64
    """stretches of names that are listed side by side: many small containers, or parts of large ones"""
    lane_names: int = 10_000
    """names; no lane is shorter, unless its container is: beginning one costs a page"""
    most_lanes: int = 256
    """lanes of one container and prefix: those that end late are short beside the whole"""
    handed_least: int = 2_500
    """names; a lane of fewer is not worth handing to another process"""
    handed_most: int = 20_000
    """names of a lane that another process looks at, and of what it shows of it: an answer is there in a second or two"""
    shown_most: int = 2_000
    """names of a lane that another process shows; where more differ, whoever asked lists them himself"""
    names_listed: int = 160_000
    """names of pages that all lanes of a move hold together, some 80 MB: 8 lanes of full pages, or 64 short ones"""
    first_page: int = 500
    """names of the first page of a first copy, where hands wait for it: a short page can cost a service as much as a whole one"""
    named_of: int = 10
    """inside a fence, names of a range that were written to are looked at again one by one where no more than one of so many was:
    to ask for ten names costs as much as to list and read a hundred"""
    named_at_most: int = 50_000
    """names of one container and prefix that are looked at so"""
    most_candidates: int = 200_000
    """deletes that a pass holds; those beyond are found again by the next one"""
    most_waiting: int = 20_000
    """names that wait for the end of both listings; a pass with more exceptions halts for a person anyway"""
    most_dropped: int = 2_000_000
    """hashes of names that neither side has shown; those beyond go with the next passes"""
    delete_group: int = 100
    """deletes that are counted together before the first of them"""
    min_delete_cap: int = 1_000
    """deletes that a pass carries out without being told, however few names there are"""


@value(frozen=True, slots=True)
class Rhythm:
    """What paces the engine and the data plane."""

    wishes_seconds: float = 0.2
    """seconds; how old what operators wish of a move may be: it is asked for before every object"""
    way_back_wish_seconds: float = 0.5
    """seconds between two looks whether an operator asks a running apply to go back"""
    throttle_wish_seconds: float = 1.0
    """seconds between two looks at the budgets that operators wish"""
    pace_note_seconds: float = 5.0
    """seconds between two notes of the present pace: a person who looks at it reads the newest"""
    counter_seconds: float = 5.0
    """seconds; counted requests are in the state store within so long, for soaks that subtract our own traffic"""
    copy_poll_seconds: float = 0.5
    """seconds until the first look at a copy that a service makes in its own time; twice as long each time"""
    longest_copy_poll_seconds: float = 30.0
    """seconds; no longer than this between those"""
    copy_patience_seconds: float = 600.0
    """seconds; so long such a copy may take, and longer by its size, until it is ended and goes through this machine"""
    copy_bytes_a_second: float = 32 * 1024 * 1024
    """bytes; what a service is supposed to copy in its own time"""
    longest_copy_seconds: float = 3000.0
    """seconds; no such copy is waited for longer: what it reads its source with ends after an hour"""
    refusals: int = 6
    """copies in a row; a service that has copied before, and refuses so many, cannot do it any more"""
    first_refusals: int = 3
    """copies in a row; a service that has never copied, and refuses so many objects, cannot do it"""
    first_ask_again_seconds: float = 15.0
    """seconds; a service that cannot copy is asked again so much later, and each time twice as late"""
    ask_again_seconds: float = 600.0
    """seconds; no later than this"""
    claim_seconds: float = 5.0
    """seconds; the route record was read at most so long ago whenever something is written"""
    guardian_margin_seconds: float = 10.0
    """seconds after drain and ``fence_timeout``, until the guardian of a fence stops believing in the engine"""
    most_cancelled_fences: int = 3
    """fences in a row; a move whose fences are cancelled so often needs a person"""
    first_commit_pause_seconds: float = 0.2
    """seconds until a commit is made again that a busy store refused; twice as long each time"""
    longest_commit_pause_seconds: float = 10.0
    """seconds; no longer than this between two tries of a commit"""
    impatient_commit_seconds: float = 20.0
    """seconds; so long a run that may not wait, or that ends, tries to write down what a move did"""
    leaving_seconds: float = 20.0
    """seconds; so long a wave that ends tries to write down what it is"""
    closing_seconds: float = 20.0
    """seconds; so long a run that ends tries to give its lock back to a busy store"""
    first_pause_seconds: float = 1.0
    """seconds until a step is tried again after what passes by itself; twice as long each time"""
    longest_pause_seconds: float = 120.0
    """seconds; no longer than this between two tries of a step"""
    say_again_seconds: float = 600.0
    """seconds; the same trouble is journaled once in so long, however often it comes back meanwhile"""
    most_missed: int = 5
    """looks in a row; a container that is missing more often does not come back by itself"""
    throttled_attempts: int = 20
    """times; so often a run that may not wait sends a request that is refused for being too many"""
    way_back_attempts: int = 14
    """times; so often a way back asks its target: some five minutes"""
    longest_look_seconds: float = 60.0
    """seconds; no longer than this a run sleeps before it looks for dates that have come and dates that were missed"""
    calm_seconds: float = 10.0
    """seconds; a service that has refused nothing for so long, at full pace, is journaled as recovered"""
    mark_seconds: float = 60.0
    """seconds between two marks of a run that sends nothing: so far its counts are whole"""
    swap_attempts: int = 20
    """times; so often a swap of the route document is lost in a row to other records before giving up"""
    read_seconds: float = 60.0
    """seconds; so long a route document that does not answer is asked again before the error goes up; nothing is written then"""
    read_again_seconds: float = 1.0
    """seconds between two of those questions"""
    publish_attempts: int = 5
    """times; so often records that are missing are published while others write the document"""
    claim_attempts: int = 5
    """times; so often a route record is claimed that changes meanwhile, or whose swap is not answered"""
    adopt_attempts: int = 10
    """times; so often a route record is adopted that changes meanwhile, or whose swap is not answered"""
    adopt_pause_seconds: float = 0.5
    """seconds; at most so long between two of those"""
    kept_back_seconds: float = 30.0
    """seconds; what kept a move back is looked at again after so long"""
    ready_pass_seconds: float = 300.0
    """seconds; a move that waits to be let into its fence keeps up with a pass so often"""
    warm_pass_seconds: float = 300.0
    """seconds; a pass keeps the source warm so often, or as often as it is looked at for stragglers, if its own time lets it"""
    warm_ending_seconds: float = 30.0
    """seconds; whoever ends such a pass waits so long for the answers of what it has sent: what is cut off keeps a way back
    waiting until it cannot be applied any more"""
    fresh_seconds: float = 30.0
    """seconds; what was found out longer ago is too old to begin a fence with: one more pass first"""
    waiting_pass_seconds: float = 10.0
    """seconds; so soon is looked again for objects that a service was not done with; twice as late each time"""
    lease_seconds: float = 65.0
    """seconds; a lease that is not for ever ends in less, unless somebody renews it. Source: Azure "Lease Blob", up to 60 s"""
    calendar_seconds: float = 1.0
    """seconds; so long holds good what the calendar says: finding the next window is work"""
    drain_look_seconds: float = 1.0
    """seconds; a drain looks at the route document so often: what breaks the fence gives the writers back at once"""
    roll_look_seconds: float = 0.3
    """seconds; a drain reads the register of followers so often while somebody has not answered"""
    roll_told_seconds: float = 5.0
    """seconds; a drain says after so long, and whenever that changes, whose answers it waits for"""
    roll_watch_seconds: float = 20.0
    """seconds; outside fences the register is read so often: who is dead then is known to be dead in a fence"""
    roll_sweep: int = 50
    """entries that say nothing any more, taken away after one of those looks"""
    near_look_seconds: float = 0.5
    """seconds; followers look so often when a fence is near"""
    near_reads_per_second: float = 300.0
    """reads; no more than so many by all followers together. Source: Azure "Scalability targets", 500 a second of one blob"""
    near_margin_seconds: float = 3.0
    """seconds; followers, who look twice in a ttl, are told of a fence by so much more than half of it before"""
    near_again_seconds: float = 300.0
    """seconds; they are told again after so long: they believe it for ten minutes"""
    named_seconds: float = 3.0
    """seconds; names that a budget would let be asked for in no less are listed instead"""
    most_barrier_passes: int = 20
    """passes of a fence that each found changes, before it is given up"""
    first_barrier_pause_seconds: float = 0.2
    """seconds between passes of a fence that find only objects that the service is not done with; twice as long each time"""
    longest_barrier_pause_seconds: float = 5.0
    """seconds; no longer than this between those"""
    policy_propagation_seconds: float = POLICY_PROPAGATION_SECONDS
    """seconds after the first refusal, until a revoked policy is refused everywhere"""
    probe_seconds: float = 60.0
    """seconds; so long a revoked policy may go on being accepted before the fence is given up"""
    probe_pause_seconds: float = 1.0
    """seconds between two writes that should be refused"""
    restore_attempts: int = 30
    """times; so often policies are put back before they are left to whoever looks next"""
    restore_seconds: float = 120.0
    """seconds; so long, too"""
    restore_pause_seconds: float = 2.0
    """seconds between two of those"""
    release_seconds: float = 600.0
    """seconds; so long a release is tried against a route document that does not answer, by the engine and by its guardian"""
    release_backoff_seconds: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
    """seconds between tries of a release: the first, the second, and from the last on all"""
    loud_attempts: int = 3
    """tries of a release, after which it is said that writers are blocked"""
    live_seconds: float = 30.0
    """seconds; a round waits no longer for the containers of the account that customers use: its gates are recorded"""
    lost_rounds: int = 3
    """rounds in a row without a container before a person is needed: neither going back nor waiting brings data back"""
    due_share: float = 0.9
    """of its interval; a round is due then: a scheduler that is a little early must not miss every other one"""
    aligned_seconds: float = 60.0
    """seconds; rounds of intervals from here on are taken at whole multiples of the interval, by the wall clock"""
    shortest_sleep_seconds: float = 0.01
    """seconds; no sleep of a soak is shorter"""
    look_again_seconds: float = 60.0
    """seconds after a look for stragglers that could not be made"""
    left_target_rest: float = 10.0
    """times as long as the last look at a left target took, or its interval if that is longer, passes until the next one"""
    left_target_round_seconds: float = 60.0
    """seconds; a run that stays at work sees so often whether a look at a left target is due"""
    saved_every_seconds: float = 1.0
    """seconds; what is settled waits for the next range's commit no longer"""
    lane_attempts: int = 3
    """times in a row; a container whose lanes did not join up so often is listed as one from then on"""
    delete_fresh_seconds: float = 5.0
    """seconds; that the origin has no such object is asked again before a delete if the answer is older"""
    notices_seconds: float = 2.0
    """seconds between two looks at the journal for what the channels of ``notify`` are told"""
    longest_notices_pause_seconds: float = 300.0
    """seconds; no longer than this between two tries of a channel that takes nothing; twice as long each time"""
    last_notices_seconds: float = 5.0
    """seconds; so long a run that ends tries to tell what is left; the next one tells the rest"""
    sizes: Sizes = Sizes()


USUAL: Final = Rhythm()
"""What a run of the product has."""
