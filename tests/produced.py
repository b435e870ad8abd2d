"""Every happening, and a test that produces it: whenever that test runs, it is seen to.

``tests/test_happenings.py`` counts that no happening is missing here. A test is named as pytest names it, with its parameters.
"""

# ruff: noqa: E501
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from migrator.words import happenings as words

PRODUCED_BY: Mapping[str, str] = {
    "approval-wanted": "tests/cli/test_notify.py::test_a_wave_that_waits_for_a_person_is_told_once",
    "notices-stuck": "tests/cli/test_notify.py::test_a_channel_that_cannot_be_opened_is_a_warning_and_stops_nothing",
    "state-changed": "tests/unit/engine/test_releasing.py::test_what_a_stopped_release_found_out_is_still_said",
    "account-creating": "tests/scenario/test_provisioning.py::test_settings_may_be_left",
    "account-created": "tests/scenario/test_provisioning.py::test_settings_may_be_left",
    "pass": "tests/scenario/test_left_behind.py::test_a_move_that_never_switched_left_nothing",
    "target-unread": "tests/scenario/test_lost_containers.py::test_the_way_back_without_the_target_needs_no_word_for_its_containers",
    "kept": "tests/unit/transfer/test_outstanding.py::test_a_late_create_that_could_not_be_kept_is_ours_still",
    "recreated": "tests/unit/transfer/test_troubles.py::test_an_archived_copy_gives_way_to_what_can_be_read[same-reverse]",
    "streams": "tests/unit/transfer/test_streaming_told.py::test_what_goes_through_this_machine_is_told_once_and_kept",
    "streams-no-more": "tests/unit/transfer/test_streaming_told.py::test_what_goes_through_this_machine_is_told_once_and_kept",
    "canary": "tests/scenario/test_left_behind.py::test_a_move_that_never_switched_left_nothing",
    "canary-one-way": "tests/scenario/findings/test_probes.py::test_a_source_that_may_only_be_read_is_moved_where_the_plan_says_so",
    "check-warned": "tests/unit/engine/test_saying.py::test_a_check_that_warns_before_the_first_copy_is_said",
    "fault-met": "tests/unit/engine/test_saying.py::test_a_release_that_fails_while_the_run_ends_is_said",
    "route-refused": "tests/scenario/test_adopting.py::test_a_second_store_takes_over_a_move_in_the_middle_of_its_copy_without_a_second_copy",
    "retry": "tests/scenario/test_lost_containers.py::test_the_source_loses_its_container_before_the_switch",
    "route-adopted": "tests/scenario/test_adopting.py::test_a_cut_over_that_the_route_does_not_explain_is_left_alone_until_it_is_adopted",
    "abandoned": "tests/scenario/test_lost_containers.py::test_the_way_back_without_the_target_needs_no_word_for_its_containers",
    "container-accepted": "tests/scenario/test_lost_containers.py::test_a_word_for_a_container_can_be_given_while_nothing_is_halted",
    "retargeted": "tests/scenario/test_giving_up_the_target.py::test_after_a_rollback_the_plan_may_name_another_target_and_nothing_of_the_old_one_is_believed",
    "left-target-still": "tests/scenario/test_left_behind.py::test_looks_are_no_more_often_than_the_interval",
    "left-target-changed": "tests/scenario/test_left_behind.py::test_a_run_that_stays_at_work_looks_again",
    "left-target-unknown": "tests/scenario/test_left_behind.py::test_a_target_that_cannot_be_read_is_said_and_the_way_back_is_done_all_the_same",
    "retire-watch-restarted": "tests/scenario/test_retiring.py::test_what_is_not_surely_at_the_target_is_kept_and_said",
    "retire-kept": "tests/scenario/test_retiring.py::test_unanswered_writes_of_earlier_runs_are_outlived_and_then_keep_nothing",
    "retire-begun": "tests/scenario/test_retiring.py::test_what_is_equal_at_the_target_goes_and_all_of_it_is_told",
    "source-deleted": "tests/scenario/test_retiring.py::test_what_is_equal_at_the_target_goes_and_all_of_it_is_told",
    "retire-ended": "tests/scenario/test_retiring.py::test_what_is_equal_at_the_target_goes_and_all_of_it_is_told",
    "fence-forecast": "tests/scenario/test_adopting.py::test_a_fence_that_a_hand_put_under_a_later_epoch_is_opened_by_its_own_run",
    "drained": "tests/scenario/test_roll_call.py::test_a_follower_that_holds_a_lease_is_waited_for",
    "followers-awaited": "tests/scenario/test_roll_call.py::test_a_follower_that_holds_a_lease_is_waited_for",
    "fence-begun": "tests/unit/engine/test_cut_over.py::test_the_guardian_watches_before_the_fence_is_sent",
    "policies-revoked": "tests/unit/engine/test_claimed_writes.py::test_the_drain_of_an_enforced_fence_ends_a_write_and_the_propagation_after_the_last_refusal",
    "policies-refuse": "tests/unit/engine/test_claimed_writes.py::test_the_drain_of_an_enforced_fence_ends_a_write_and_the_propagation_after_the_last_refusal",
    "policies-restored": "tests/unit/engine/test_claimed_writes.py::test_policies_are_put_back_within_the_budget_and_counted",
    "policy-left": "tests/scenario/test_enforced_fence.py::test_a_policy_that_somebody_changed_meanwhile_is_left_as_it_is_and_said",
    "policies-stay-revoked": "tests/unit/engine/test_saying.py::test_policies_that_cannot_be_put_back_now_are_said_and_stay_on_record",
    "barrier": "tests/scenario/test_lost_containers.py::test_the_way_back_asks_before_its_first_step",
    "barrier-skipped": "tests/scenario/test_lost_containers.py::test_the_way_back_without_the_target_needs_no_word_for_its_containers",
    "switched": "tests/scenario/test_lost_containers.py::test_the_way_back_asks_before_its_first_step",
    "fence-overdue": "tests/unit/engine/test_recovering.py::test_only_a_fence_that_lasts_longer_than_it_may_is_put_on_record",
    "fence-released": "tests/unit/engine/test_cut_over.py::test_every_cancelled_fence_is_counted",
    "old-fence-released": "tests/unit/engine/test_routes.py::test_an_old_fence_of_this_run_that_was_put_back_by_hand_is_opened_again",
    "unknown-fence-released": "tests/cli/test_doctor.py::test_blocked_writers_come_first_and_apply_frees_them",
    "stale-fence-released": "tests/unit/engine/test_saying.py::test_a_claim_that_releases_an_unexplained_fence_says_so",
    "fence-left": "tests/scenario/test_adopting.py::test_a_cut_over_that_the_route_does_not_explain_is_left_alone_until_it_is_adopted",
    "writers-blocked": "tests/unit/engine/test_recovering.py::test_a_route_that_never_answers_leaves_the_fence_on_record_for_the_next_run",
    "adopted": "tests/scenario/test_adopting.py::test_a_second_store_adopts_before_its_first_apply",
    "kept-warm": "tests/scenario/test_kept_warm.py::test_it_is_said_once_that_the_way_back_is_ready",
    "way-back": "tests/scenario/test_kept_warm.py::test_it_is_said_once_that_the_way_back_is_ready",
    "verdict": "tests/scenario/test_lost_containers.py::test_the_way_back_asks_before_its_first_step",
    "gate-failed": "tests/scenario/test_lost_containers.py::test_a_failed_gate_takes_nobody_back_by_itself_to_an_account_that_it_would_empty",
    "soak-restarted": "tests/scenario/test_adopting.py::test_what_only_the_old_side_had_and_somebody_deletes_there_is_a_straggler",
    "sight-lost": "tests/scenario/test_adopting.py::test_so_it_is_where_no_run_saw_the_route_away",
    "soak-loosened-anew": "tests/cli/test_edits_are_said.py::test_a_loosened_soak_starts_again_and_everybody_is_told",
    "soak-loosened": "tests/cli/test_edits_are_said.py::test_a_reason_keeps_what_has_soaked_and_is_in_the_journal",
    "waiting": "tests/scenario/test_waiting_out.py::test_a_source_that_refuses_everything_for_a_while_is_said_to_throttle",
    "trouble-over": "tests/scenario/test_waiting_out.py::test_a_source_that_refuses_everything_for_a_while_is_said_to_throttle",
    "pause-obeyed": "tests/scenario/test_before_the_fence.py::test_an_impatient_apply_does_not_wait_for_a_pause",
    "cut-over-kept": "tests/unit/engine/test_cut_over.py::test_no_fence_while_a_write_is_unanswered",
    "leases-met": "tests/scenario/test_one_names_trouble.py::test_a_lease_that_ends_is_waited_out",
    "wave-kept": "tests/cli/test_running.py::test_the_second_of_two_applies_exits_5_and_names_the_first",
    "nothing-begins": "tests/scenario/test_lost_containers.py::test_a_failed_gate_takes_nobody_back_by_itself_to_an_account_that_it_would_empty",
    "lock-watched": "tests/scenario/test_waiting_out.py::test_a_lock_of_a_machine_whose_clock_was_wrong_is_taken_when_it_is_silent[1.0]",
    "run-asked": "tests/cli/test_running.py::test_a_rollback_steers_the_running_apply",
    "plan": "tests/unit/engine/test_publishing.py::test_a_move_that_ever_had_one_never_gets_another",
    "plan-edited": "tests/cli/test_edits_are_said.py::test_a_stricter_edit_keeps_what_has_soaked",
    "run-began": "tests/cli/test_a_new_kind.py::test_routes_are_published_at_a_new_kind_of_place",
    "run-ended": "tests/cli/test_a_new_kind.py::test_routes_are_published_at_a_new_kind_of_place",
    "takeover": "tests/scenario/test_adopting.py::test_two_engines_on_a_store_and_its_copy_the_first_stops_and_the_second_goes_on",
    "requests-uncounted": "tests/scenario/test_waiting_out.py::test_a_run_whose_last_counts_are_refused_has_its_outcome_and_gives_its_lock_back",
    "outcome": "tests/cli/test_commands.py::test_apply_in_json_is_events_to_the_last_line",
    "events-lost": "tests/cli/test_progress.py::test_a_display_that_hangs_does_not_hold_up_the_engine_and_the_loss_is_told",
    "wave-begun": "tests/scenario/test_left_behind.py::test_a_move_that_never_switched_left_nothing",
    "wave-changed": "tests/scenario/test_left_behind.py::test_a_move_that_never_switched_left_nothing",
    "late": "tests/scenario/test_waves.py::TestLate::test_a_missed_date_is_said_once_and_stops_nothing",
    "routes-published": "tests/unit/engine/test_publishing.py::test_a_move_that_ever_had_one_never_gets_another",
    "durations": "tests/unit/engine/test_durations.py::test_a_wait_that_an_earlier_run_did_not_end_is_not_forgotten_by_another_publishing",
    "durations-too-long": "tests/unit/engine/test_durations.py::test_no_fence_begins_while_the_document_promises_more_than_the_plan[ready-30-61]",
    "throttled": "tests/scenario/test_waiting_out.py::test_a_source_that_refuses_everything_for_a_while_is_said_to_throttle",
    "full-pace-again": "tests/scenario/test_waiting_out.py::test_a_source_that_refuses_everything_for_a_while_is_said_to_throttle",
    "control": "tests/cli/test_commands.py::test_hold_and_pause_are_wishes_in_the_journal",
    "throttle-set": "tests/cli/test_commands.py::test_throttle_is_a_wish_that_status_and_history_know",
    "rollback-asked": "tests/cli/test_running.py::test_a_rollback_steers_the_running_apply",
    "approval": "tests/cli/test_approve.py::test_a_variable_admits_nobody",
    "unlock": "tests/cli/test_unlock.py::test_without_anything_to_wait_for_an_empty_id_is_no_lock",
    "wait-removed": "tests/cli/test_unlock.py::test_a_wait_without_end_that_a_later_run_inherited_ends_by_the_same_sentence",
}


@contextmanager
def heard() -> Iterator[set[str]]:
    """The kinds that are put into words meanwhile, for a journal or for whoever watches."""
    kinds: set[str] = set()
    said = words.in_words

    def hear(happening: words.Happening) -> str:
        kinds.add(happening.kind)
        return said(happening)

    words.in_words = hear  # type: ignore[assignment]
    try:
        yield kinds
    finally:
        words.in_words = said


def missing(test: str, kinds: set[str]) -> set[str]:
    """What the test promises to produce, and did not."""
    return {kind for kind, by in PRODUCED_BY.items() if by == test} - kinds


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with heard() as kinds:
        yield
    if lacks := missing(item.nodeid, kinds):
        pytest.fail(f"it promises to produce {', '.join(sorted(lacks))}, and does not", pytrace=False)
