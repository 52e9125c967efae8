# Copyright The Countersign Authors.
# SPDX-License-Identifier: Apache-2.0

# For those who have Docker: the same program as that of `make image`, byte for
# byte if the Go release is the same.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --tag REPOSITORY/countersign:TAG .
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 GOOS=linux GOARCH=$TARGETARCH go build -trimpath -buildvcs=false "-ldflags=-s -w" -o /app .

# Nothing but the program: no shell, no certificates of authorities, because it
# trusts the cluster's own alone.
FROM scratch
LABEL org.opencontainers.image.title="Countersign" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/countersign/countersign"
COPY --from=build /app /app
USER 65532:65532
ENTRYPOINT ["/app"]
