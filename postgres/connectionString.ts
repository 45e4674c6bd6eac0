/** Connection strings as libpq reads them (documentation, 34.1.1): URLs and keyword/value pairs. */

/** libpq's keywords and the names that the rest of this folder uses; other keywords are refused. */
const KEYWORDS: Record<string, string> = {
  host: "host",
  hostaddr: "host",
  port: "port",
  dbname: "database",
  user: "username",
  password: "password",
  passfile: "passfile",
  sslmode: "sslmode",
  sslrootcert: "sslrootcert",
  sslcert: "sslcert",
  sslkey: "sslkey",
  connect_timeout: "connectTimeout",
};

/** Keywords that mean something to libpq and change nothing here. */
const IGNORED = new Set([
  "application_name",
  "fallback_application_name",
  "client_encoding",
  "gssencmode",
  "channel_binding",
]);

/**
 * Settings by name; absent ones are absent.
 * @throws RangeError when the text is not a connection string or uses a keyword that is not known here. The message never
 * repeats the text, which can hold a password.
 */
export function parseConnectionString(text: string): Record<string, string> {
  return /^postgres(ql)?:\/\//.test(text) ? parseUrl(text) : parsePairs(text);
}

function parseUrl(text: string): Record<string, string> {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new RangeError("connectionString is not a valid URL; special characters in it have to be percent-encoded.");
  }
  const settings: Record<string, string> = {};
  const put = (name: string, value: string) => {
    if (value !== "") settings[name] = decode(value);
  };
  put("username", url.username);
  put("password", url.password);
  put("host", url.hostname.replace(/^\[(.*)\]$/, "$1"));
  put("port", url.port);
  put("database", url.pathname.slice(1));
  for (const [keyword, value] of url.searchParams) Object.assign(settings, keywordSetting(keyword, value));
  return settings;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RangeError("connectionString has a percent sign that begins no percent-encoded character.");
  }
}

const PAIR = /\s*([A-Za-z_]+)\s*=\s*(?:'((?:\\[\s\S]|[^'\\])*)'|((?:\\[\s\S]|[^\s'\\])*))(?=\s|$)/y;

function parsePairs(text: string): Record<string, string> {
  const settings: Record<string, string> = {};
  const pair = new RegExp(PAIR);
  while (pair.lastIndex < text.trimEnd().length) {
    const match = pair.exec(text);
    if (match === null) throw new RangeError("connectionString is neither a URL nor a list of keyword=value pairs.");
    const [, keyword = "", quoted, plain = ""] = match;
    Object.assign(settings, keywordSetting(keyword, (quoted ?? plain).replace(/\\([\s\S])/g, "$1")));
  }
  return settings;
}

function keywordSetting(keyword: string, value: string): Record<string, string> {
  const name = KEYWORDS[keyword];
  if (name !== undefined) return { [name]: value };
  if (IGNORED.has(keyword)) return {};
  throw new RangeError(`connectionString: the keyword ${keyword} is not supported.`);
}
