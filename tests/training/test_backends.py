"""Each backend trains, resumes and repeats itself to the bit.

JAX and PyTorch without TensorFlow. Tests in an environment that has none:
`make test-without-tensorflow`.
"""

import numpy as np
import pytest
from processes import run_python

from keras_resnetv2 import data, training
from keras_resnetv2.training import evaluation

TRAIN = """
import sys
if sys.argv[1] != "tensorflow":
    sys.modules["tensorflow"] = None
import dataclasses, pathlib
import numpy as np
from keras_resnetv2 import data, training
from keras_resnetv2.training import errors, images, logs

logs.plot_curves = lambda *args, **kwargs: None

def load(name, split, **kwargs):
    return data.load_arrays(name, split, **kwargs).take(
        {"train": 200, "test": 70}[split])

images.load_arrays = load
root = pathlib.Path(sys.argv[2])
experiment = training.Experiment(
    model="PreActResNet20", dataset="fake", epochs=2, batch_size=50, seed=1,
    options={"depth": None, "units_per_stage": (1,), "widths": (8,),
             "shortcut": "dropout"})
other = dataclasses.replace(experiment, seed=2)

class Cut(Exception):
    pass

check = errors.check_loss

def train_until(last_step, *args, **kwargs):
    losses = []
    def cut(loss, step):
        if step == last_step:
            raise Cut
        losses.append(float(loss))
    errors.check_loss = cut
    try:
        training.train(*args, **kwargs)
    except Cut:
        errors.check_loss = check
    return losses

whole = training.train(experiment, root / "whole")
cut = train_until(7, experiment, root / "cut", checkpoint_steps=3)
other = train_until(2, other, root / "other")
assert other[0] != cut[0]
resumed = training.train(experiment, root / "cut")
for a, b in zip(whole, resumed, strict=True):
    assert (a.step, a.test_loss) == (b.step, b.test_loss), (a, b)
    assert abs(a.train_loss - b.train_loss) < 1e-5, (a, b)

weights = [training.load_trained(root / name).model.get_weights()
           for name in ("whole", "cut")]
for a, b in zip(*weights):
    np.testing.assert_array_equal(a, b)
result = training.evaluate(root / "whole")
assert abs(result["loss"] - whole[-1].test_loss) < 1e-5
print("same", whole[-1].test_loss)
"""


@pytest.mark.parametrize(
    "backend",
    [
        # test_resume.py has more of it on TensorFlow.
        pytest.param("tensorflow", marks=pytest.mark.multiprocess),
        "jax",
        pytest.param("torch", marks=pytest.mark.parity),
    ],
)
def test_same_seed_same_weights_and_resumed_alike(tmp_path, backend):
    pytest.importorskip(backend)
    printed = run_python(TRAIN, backend, tmp_path, backend=backend)
    assert "Resuming at step 6 of 8" in printed
    verdict, loss = printed.split()[-2:]
    assert verdict == "same"
    # Trained on one backend, evaluated on another.
    whole = training.load_trained(tmp_path / "whole")
    assert whole.step == 8
    test = data.load_arrays("fake", "test").take(70)
    logits = evaluation.predict_logits(
        whole.model, test, whole.facts.standardization
    )
    result = evaluation.loss_and_error(logits, test.labels)
    np.testing.assert_allclose(result["loss"], float(loss), rtol=1e-4)
