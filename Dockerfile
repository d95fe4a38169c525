# The service alone. Its folder /data holds config.yaml, coterie-registration.yaml and, with SQLite, the
# database. docker-compose.yml says how to begin.
FROM python:3.13-slim AS build

RUN python -m venv /opt/coterie
ENV PATH=/opt/coterie/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements.txt ./
RUN pip install --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY appservice ./appservice
# The build backend is one of the pins and not needed afterwards.
RUN pip install --no-deps --no-build-isolation . && pip uninstall --yes setuptools pip


FROM python:3.13-slim

COPY --from=build /opt/coterie /opt/coterie
ENV PATH=/opt/coterie/bin:$PATH PYTHONUNBUFFERED=1
RUN useradd --uid 1000 --create-home coterie && install --directory --owner coterie --group coterie /data
USER coterie
WORKDIR /data
VOLUME /data
EXPOSE 29333
ENTRYPOINT ["coterie"]
CMD ["run"]
