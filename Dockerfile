# One static binary on nothing at all. Build: docker build -t allclear .   Run: see README.md.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Naming the target keeps the static flag away from build scripts and procedural macros, which can't be linked so.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" cargo build --release --locked --bin allclear --target "$target" \
 && install -D "target/$target/release/allclear" /out/allclear \
 && install -d -m 0700 /out/data

FROM scratch
COPY --from=build /out/allclear /allclear
# Owned by the user below, so that a new volume is, too.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV ALLCLEAR_LISTEN=0.0.0.0:8080 ALLCLEAR_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
# The image holds no shell and no curl: the binary asks itself.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/allclear", "healthcheck"]
ENTRYPOINT ["/allclear"]
