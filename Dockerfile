# One image for every consumer group and for the `callbus` command.
#   docker build -t callbus:local .
#   docker build -t callbus:local-cuda --build-arg CUDA=1 .     # and what CTranslate2 needs on a GPU

FROM python:3.13-slim AS build
ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir uv==${UV_VERSION}
ENV UV_CACHE_DIR=/var/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never \
    VIRTUAL_ENV=/app/.venv
WORKDIR /app
RUN uv venv .venv
COPY pyproject.toml requirements.lock deploy/cuda.lock ./
# The lock as constraints: what callbus runs with and not what it is tested with, each file's hash checked all the same.
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install --constraint requirements.lock --requirement pyproject.toml
ARG CUDA=0
RUN --mount=type=cache,target=/var/cache/uv \
    if [ "${CUDA}" = 1 ]; then uv pip install --require-hashes --requirement cuda.lock; fi
COPY README.md LICENSE ./
COPY callbus callbus
COPY consumers consumers
COPY producers producers
COPY schemas schemas
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install --no-deps --build-constraint requirements.lock .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/cache/callbus callbus \
 && install --directory --owner=callbus --group=callbus /var/cache/callbus /var/lib/callbus/recordings
ENV PATH=/app/.venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    LD_LIBRARY_PATH=/app/.venv/lib/python3.13/site-packages/nvidia/cublas/lib \
    HF_HOME=/var/cache/callbus/huggingface \
    CALLBUS_CACHE=/var/cache/callbus \
    CALLBUS_HEARTBEAT=/tmp/callbus.heartbeat
WORKDIR /app
COPY --from=build /app/.venv .venv
COPY topology.yaml topology.production.yaml ./
COPY domain domain
USER callbus
ENTRYPOINT ["callbus"]
CMD ["--help"]
