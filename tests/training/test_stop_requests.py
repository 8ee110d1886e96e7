import os
import signal

import pytest

from keras_resnetv2.training.stop_requests import StopRequests


def test_the_first_ctrl_c_is_noted_and_the_second_acts(capfd):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), StopRequests() as requests:
        os.kill(os.getpid(), signal.SIGINT)
        assert requests.received == signal.SIGINT
        assert "ends it at once" in capfd.readouterr().err
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("The second Ctrl-C did nothing.")
    assert signal.getsignal(signal.SIGINT) is handler
