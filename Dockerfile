# The Python part: monitor, alerts, self-test and gateway. `docker build -t website-monitor .`
#
#   docker run -d --init --read-only --tmpfs /tmp -v ./config:/config:ro -v checks:/data website-monitor
#
# /config/config.json is the configuration; it must say "localDatabase": "/data/checks.db". All else is read-only.
# `deploy/check-image` runs these steps in a bare Debian where there is no Docker.
FROM python:3.11-slim-bookworm

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

RUN groupadd --gid 10001 monitor \
    && useradd --uid 10001 --gid monitor --no-create-home --home-dir /data --shell /usr/sbin/nologin monitor \
    && install --directory --owner monitor --group monitor --mode 0700 /data \
    && install --directory /config

WORKDIR /app
COPY requirements.txt ./
# Wheels only: there is no compiler here, and none is wanted.
RUN python -m pip install --no-cache-dir --only-binary :all: --requirement requirements.txt

COPY monitoringApp.py alertWatcher.py test.py utils.py ./
COPY monitoring/ monitoring/
COPY deploy/healthcheck.py deploy/
# The rights of the checkout may be anything; and nothing can be compiled later.
RUN chmod --recursive a+rX . && python -m compileall -q .

# By number, so that "not root" can be seen without the image's list of users.
USER 10001:10001
VOLUME /data
EXPOSE 8087
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-m", "deploy.healthcheck", "/data"]

# Without a shell in between, so that signals reach Python.
ENTRYPOINT ["python", "/app/monitoringApp.py", "-c", "/config/config.json"]
CMD ["-m"]
