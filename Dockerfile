# Two targets: `hub` for gateways (serial, I2C and SPI compiled) and `processor` for compute nodes (nothing compiled).
ARG NODE_VERSION=22

FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npx tsc -b native-free-core workers src

FROM node:${NODE_VERSION}-bookworm AS hub-packages
WORKDIR /app
COPY package.json package-lock.json ./
# i2c-bus and spi-device are compiled here; the compiler stays behind in this stage.
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:${NODE_VERSION}-bookworm-slim AS processor-packages
WORKDIR /app
COPY package.json package-lock.json ./
# Prebuilt binaries come as packages of their own, so nothing is compiled and no install script runs.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-bookworm-slim AS runtime
ENV NODE_ENV=production HTTP_HOST=0.0.0.0 TELEMETRY_DATA=/data
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
STOPSIGNAL SIGTERM

FROM runtime AS hub
COPY --from=hub-packages /app/node_modules ./node_modules
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:8080/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/hub.js"]

FROM runtime AS processor
COPY --from=processor-packages /app/node_modules ./node_modules
EXPOSE 9092
HEALTHCHECK --interval=10s --timeout=3s CMD ["node", "-e", "fetch('http://127.0.0.1:9092/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/processor.js"]
