from keras_resnetv2.tuning.distributed.roster import Roster


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_silent_worker_is_taken_off_once():
    clock = Clock()
    roster = Roster(silence=10, clock=clock)
    roster.hear("a")
    roster.hear_beat("b", "7")
    popped = []
    for clock.now in range(1, 30):
        if clock.now < 15:
            roster.hear("a")
        popped += [(clock.now, name) for name in roster.pop_silent()]
    assert popped == [(11, "b"), (25, "a")]
    assert roster.present() == [] and roster.running() == {}


def test_a_pause_of_the_chiefs_own_is_no_silence_of_the_workers():
    clock = Clock()
    roster = Roster(silence=10, clock=clock)
    roster.hear("a")
    clock.now = 1000
    assert roster.pop_silent() == []
    for clock.now in range(1001, 1011):
        assert roster.pop_silent() == []
    clock.now = 1011
    assert roster.pop_silent() == ["a"]


def test_a_dismissed_workers_last_beat_does_not_bring_it_back():
    roster = Roster(silence=10)
    roster.hear("a")
    roster.dismiss("a")
    roster.hear_beat("a", "")
    assert roster.present() == []
    roster.hear("a")
    assert roster.present() == ["a"]
