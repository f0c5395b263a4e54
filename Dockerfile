# The hub as an image, for amd64 and arm64:
#
#   docker build -t talaria .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example/talaria --push .
#
# docs/docker.md says how to run it. Needs BuildKit, which is Docker's own since 23.
#
# To pin the base: --build-arg NODE=node:26-slim@sha256:… . Debian's libc is what the tests run on, and what its native modules are kept for.
ARG NODE=node:26-slim

# Compiled once for all platforms, on that of the machine that builds.
FROM --platform=$BUILDPLATFORM ${NODE} AS build
WORKDIR /hub
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts ./scripts
COPY src ./src
COPY transports ./transports
RUN npm run build
RUN find dist \( -name '*.d.ts' -o -name '*.map' \) -delete
RUN chmod +x dist/src/main.js && mkdir bin data && ln -s ../dist/src/main.js bin/talaria

# The packages that the hub runs with, for the platform of the image: native ones come compiled, so that nothing has to run on it here.
FROM --platform=$BUILDPLATFORM ${NODE} AS packages
# Without a default, which would be taken for every platform.
ARG TARGETARCH
WORKDIR /hub
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm \
  npm ci --ignore-scripts --omit=dev --os=linux --libc=glibc --cpu="$(echo "$TARGETARCH" | sed 's/amd64/x64/')"
# Half of it is for compilers, debuggers, other libcs, older Nodes, and the packages' own tests.
RUN find node_modules \( -name '*.map' -o -name '*.[cm]ts' -o -name '*.ts' -o -name '*.musl.node' -o -name '*.abi*.node' -o -name '*.test.js' \) -delete
RUN find node_modules -type d -name test -prune -exec rm -r {} + && rm -r node_modules/lmdb/dependencies node_modules/lmdb/src

FROM ${NODE}
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Talaria" \
  org.opencontainers.image.description="An open Mercure hub: both protocol generations, clusters for everybody, never loses an update, tells why it refuses." \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.source="https://github.com/talaria-hub/talaria" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Belongs to root: the hub can change nothing of itself.
COPY LICENSE /hub/
COPY --from=packages /hub/node_modules /hub/node_modules
COPY --from=build /hub/dist /hub/dist
COPY --from=build /hub/bin /hub/bin
# The one place that it writes to: bolt://updates.db, the default, is there.
COPY --from=build --chown=1000:1000 /hub/data /data
VOLUME /data
WORKDIR /data
ENV PATH=/hub/bin:$PATH
# The `node` of the base by number, since Kubernetes cannot tell whether a name is root.
USER 1000:1000
EXPOSE 80
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["talaria", "health"]
ENTRYPOINT ["talaria"]
CMD ["serve"]
