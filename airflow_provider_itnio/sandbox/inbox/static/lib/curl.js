// A request as a command for a shell.

const ONLY_OF_ITS_CONNECTION = ["accept", "accept-encoding", "connection", "content-length", "host", "transfer-encoding", "user-agent"];
const SIGNED = { "api-key": '"Api-Key: $API_KEY"', timestamp: '"Timestamp: $NOW"', sign: '"Sign: $SIGN"' };
const SIGNING = [
  "API_KEY='your Api-Key' SECRET='your secret' NOW=$(date +%s)",
  `SIGN=$(printf %s "$API_KEY$SECRET$NOW" | openssl md5 -r | cut -d ' ' -f 1)`,
];

/** Returns the command that repeats a request with a new signature; the user fills in key and secret. */
export function asCurl({ method, path, headers, raw_body: body }) {
  const origin = location.protocol === "file:" ? `http://${headers.host}` : location.origin;
  const address = origin + encodeURI(path).replace(/[?#]/g, encodeURIComponent);
  const sent = Object.entries(headers).filter(([name]) => !ONLY_OF_ITS_CONNECTION.includes(name));
  const command = [
    `curl ${quoted(address)}`,
    `-X ${quoted(method)}`,
    ...sent.map(([name, value]) => `-H ${SIGNED[name] ?? quoted(value ? `${name}: ${value}` : `${name};`)}`),
    body && `--data-raw ${quoted(body)}`,
  ];
  return [...(sent.some(([name]) => name in SIGNED) ? SIGNING : []), command.filter(Boolean).join(" \\\n  ")].join("\n");
}

/** Quotes a text as one word for a shell, without NUL, which no shell accepts. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''").replaceAll("\0", "\ufffd")}'`;
