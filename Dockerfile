# docker build --tag sallyport .
# docker run --init --volume /etc/sallyport:/etc/sallyport:ro --volume sallyport:/var/lib/sallyport sallyport
#
# The configuration names /var/lib/sallyport for store.url, keys.dir, state.dir and recordings.dir; secrets come by ${file:…} or ${env:…}.
FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-fund --no-audit
COPY tsconfig.json tsconfig.build.json vite.config.ts ./
COPY src ./src
COPY proxy ./proxy
RUN npm run build && npm prune --omit=dev --no-fund --no-audit

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /opt/sallyport
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
# keys: a volume that is mounted there has its owner of the folder.
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/sallyport /var/lib/sallyport/keys
USER node
VOLUME /var/lib/sallyport
ENTRYPOINT ["node", "/opt/sallyport/dist/src/main.js"]
CMD ["serve", "--config", "/etc/sallyport/sallyport.yaml"]
