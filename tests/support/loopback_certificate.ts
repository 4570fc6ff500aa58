/**
 * A certificate for `localhost` and 127.0.0.1 that vouches for itself, and its key, which guards nothing.
 * Made anew by:
 *
 * ```sh
 * openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 \
 *   -subj /CN=localhost -addext basicConstraints=critical,CA:FALSE \
 *   -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem
 * ```
 */

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmTCCAT6gAwIBAgIUfFeAVMUwIP37S5JGTFHOMwoxAEkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjA2MzUyNloYDzIxMjYxMDI5
MDYzNTI2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS/DNgaOFu6xyvFfcPWY7LPAuRMSRK/ALDbh+d6nfl0/IFWyUh3hqeK
iWZykdvuVWdic24+jur8zijWBUD83uovo2wwajAdBgNVHQ4EFgQU2dYSoZCiI4vP
RTnxAjpXhoB3DvswHwYDVR0jBBgwFoAU2dYSoZCiI4vPRTnxAjpXhoB3DvswDAYD
VR0TAQH/BAIwADAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZIzj0E
AwIDSQAwRgIhAPmePFUePRzj7M1LXN6N+GnG/YYgYH9LUnaPritySsBXAiEAthn+
555nq0ECIyQl925NTpF9pnP8GowwRPxbgJs8eSE=
-----END CERTIFICATE-----
`;

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2bDkeUC0HRyJzZL8
OkbKdUH2UMbOW84Inn89f8lnSv2hRANCAAS/DNgaOFu6xyvFfcPWY7LPAuRMSRK/
ALDbh+d6nfl0/IFWyUh3hqeKiWZykdvuVWdic24+jur8zijWBUD83uov
-----END PRIVATE KEY-----
`;

/** For a listener. */
export const LOOPBACK_TLS = { cert: CERTIFICATE, key: KEY } as const;
