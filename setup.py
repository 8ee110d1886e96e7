import pathlib
import re

import setuptools

here = pathlib.Path(__file__).parent
version = re.search(
    r'__version__ = "(.+)"', (here / "keras_resnetv2/_version.py").read_text()
)[1]

mains = (
    "ablation",
    "train",
    "evaluate",
    "export",
    "predict",
    "prepare_cifar10",
    "propagation",
    "report",
    "tune",
)
matplotlib = "matplotlib>=3.8,<4"
scipy = "scipy>=1.11,<2"
tensorboard = "tensorboard>=2.18,<3"
train = [
    matplotlib,
    scipy,
    tensorboard,
    "tensorflow-datasets>=4.9.7,<5",
    # tensorflow-datasets needs it to prepare a dataset, and does not say so.
    "importlib_resources>=6",
]
tuner = [
    "keras-tuner>=1.4.7,<1.5",
    matplotlib,
    # keras-tuner imports these, the last two for a Bayesian search, and does
    # not say so.
    tensorboard,
    scipy,
    "scikit-learn>=1.4,<2",
]
onnx = [
    "onnx>=1.19,<2",
    "tf2onnx>=1.17,<2",
    "onnxruntime>=1.22,<2",
]
litert = ["ai-edge-litert>=2.0.2,<3"]
tests = [
    "jax>=0.5,<1",
    "pytest>=8,<10",
    "pytest-xdist>=3.5,<4",
    # Reads the card that a network is shared with.
    "PyYAML>=6,<7",
    # Of examples/serving/server.py.
    "fastapi>=0.115,<1",
    "uvicorn>=0.30,<1",
]
weights = ["safetensors>=0.4,<1"]
docs = ["sphinx>=9,<10", "myst-nb>=1.4,<2", "sphinx-book-theme>=1.4,<2"]
notebooks = ["nbclient>=0.10,<1", "nbformat>=5.10,<6", "ipykernel>=6.29,<8"]

setuptools.setup(
    name="keras-resnetv2",
    version=version,
    description="ResNet-v2 (identity mappings) for Keras 3: every network, "
    "ablation and recipe of the paper, from training to TF Serving.",
    long_description=(here / "README.md").read_text(),
    long_description_content_type="text/markdown",
    author="The keras_resnetv2 maintainers",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    packages=setuptools.find_packages(include=["keras_resnetv2*"]),
    package_data={
        "keras_resnetv2": ["py.typed", "*.pyi", "*/*.pyi", "class_names/*"],
        "keras_resnetv2.data": ["sample/*"],
        "keras_resnetv2.models": ["pretrained/*"],
    },
    install_requires=[
        "absl-py>=2.1,<3",
        "filelock>=4,<5",
        "keras>=3.13,<4",
        "lazy-loader>=0.4,<1",
        "numpy>=1.26,<3",
        "pillow>=10.3,<13",
        "tqdm>=4.66,<5",
    ],
    extras_require={
        "tensorflow": ["tensorflow>=2.20,<3"],
        # With CUDA's libraries: nothing but the driver is needed beside it.
        "gpu": ["tensorflow[and-cuda]>=2.20,<3"],
        "cpu": ["tensorflow-cpu>=2.20,<3"],
        "train": train,
        "tuner": tuner,
        "onnx": onnx,
        "litert": litert,
        "hub": ["huggingface_hub>=0.30,<3"],
        # Reads timm's files.
        "weights": weights,
        # Reads PyTorch's files. From 2.6 on, it refuses all but weights.
        "torch": ["torch>=2.6,<3"],
        "tests": train + tuner + onnx + litert + weights + tests + notebooks,
        # What is documented is imported: the search, too.
        "docs": tuner + docs,
        "dev": train
        + tuner
        + onnx
        + litert
        + tests
        + notebooks
        + [
            "import-linter>=2.17,<3",
            "mypy>=1.15,<3",
            "pre-commit>=4,<5",
            "ruff>=0.14,<1",
        ],
    },
    entry_points={
        "console_scripts": [
            f"keras-resnetv2-{main.replace('_', '-')}="
            f"keras_resnetv2.cli.{main}:entry_point"
            for main in mains
        ]
    },
    keywords="resnet resnet-v2 keras tensorflow image-classification",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
