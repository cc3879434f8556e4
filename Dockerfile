# The environment of constraints.txt for JupyterHub and Binder, on CPUs.
#   docker build --tag srlib . && docker run --rm --publish 8888:8888 srlib
FROM python:3.11-slim-bookworm

# Nothing is compiled: every pinned package has a wheel for Linux.
RUN apt-get update && apt-get install --yes --no-install-recommends git make && rm -rf /var/lib/apt/lists/*

# Binder passes both; it runs no container as root.
ARG NB_USER=jovyan
ARG NB_UID=1000
ENV HOME=/home/${NB_USER}
RUN useradd --create-home --uid ${NB_UID} ${NB_USER} && install --directory --owner ${NB_USER} /opt/srlib

# Not below the home folder, which a hub covers with the user's own volume.
WORKDIR /opt/srlib
COPY --chown=${NB_UID} . .
USER ${NB_USER}

# torch==2.13.0 is 2.13.0+cpu there, a tenth of what PyPI's wheel brings for GPUs. To build for them, pass an empty TORCH_INDEX.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 PIP_EXTRA_INDEX_URL=${TORCH_INDEX} make .venv/ready
ENV PATH=/opt/srlib/.venv/bin:${PATH}

# What a hub starts, jupyterhub-singleuser; of the hub's own major version.
ARG JUPYTERHUB=5.5.4
RUN PIP_NO_CACHE_DIR=1 pip install --quiet --constraint constraints.txt jupyterhub==${JUPYTERHUB}

EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "--LabApp.default_url=/lab/tree/notebooks/start.ipynb"]
