# The image of registrycheck: one program, the few libraries it is linked with,
# and nothing else. deploy/image/files says what is in it, and why.
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin registrycheck \
 && deploy/image/assemble /rootfs target/release/registrycheck

FROM scratch
COPY --from=build /rootfs /
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/registrycheck"]
CMD ["run"]
LABEL org.opencontainers.image.title="registrycheck" \
      org.opencontainers.image.description="Explains why a pod cannot pull its image" \
      org.opencontainers.image.licenses="Apache-2.0"
