# Two images: a node (daphne with the demo) and nginx in front of it, both without root.

FROM python:3.13.7-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /src
RUN pip install pip==26.3
COPY pyproject.toml requirements-dev.lock ./
RUN pip install --constraint requirements-dev.lock --group demo
COPY README.md LICENSE ./
COPY live_single_session live_single_session
RUN pip install --constraint requirements-dev.lock --build-constraint requirements-dev.lock .
COPY demo demo
COPY deploy deploy
RUN DJANGO_SETTINGS_MODULE=deploy.settings SECRET_KEY_FILE=/src/secret_key STATIC_ROOT=/static \
    PYTHONDONTWRITEBYTECODE=1 python -m django collectstatic --no-input --verbosity 0

FROM python:3.13.7-slim AS node
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin app \
    && install -d -o app -g app -m 700 /var/lib/jotter
COPY --from=build /venv /venv
COPY --from=build /src/demo /app/demo
COPY --from=build /src/deploy /app/deploy
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app
# It starts by itself, too; `python -m deploy.prepare` makes the tables.
# hadolint ignore=DL3064
ENV DJANGO_SETTINGS_MODULE=deploy.settings SECRET_KEY_FILE=/var/lib/jotter/secret_key
ENV DATABASE_URL=sqlite:////var/lib/jotter/db.sqlite3
WORKDIR /app
USER 10001
EXPOSE 8000
CMD ["daphne", "--bind", "0.0.0.0", "--port", "8000", "--proxy-headers", "demo.asgi:application"]

FROM nginxinc/nginx-unprivileged:1.28.0 AS nginx
COPY --from=build /static /srv/static
COPY deploy/nginx/site.conf.template /etc/nginx/templates/default.conf.template
