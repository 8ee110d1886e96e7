# Trains on NVIDIA GPUs. It was not built where this package is made: there is
# neither Docker nor a GPU.
#
#   docker build -t keras-resnetv2 .
#   docker run --rm --gpus all -v "$PWD/runs:/runs" keras-resnetv2 \
#     --model=PreActResNet20 --dataset=cifar10_sample --workdir=/runs/resnet20
FROM python:3.11-slim
WORKDIR /opt/keras_resnetv2
COPY . .
RUN pip install --no-cache-dir ".[gpu,train]"
ENTRYPOINT ["keras-resnetv2-train"]
