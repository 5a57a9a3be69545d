// A browser as far as sign-in needs one: cookies for each host, redirects, and forms.
export class Browser {
  jar = new Map(); // "host" -> Map of names and values

  cookies(url) {
    const own = this.jar.get(new URL(url).host) ?? new Map();
    return [...own].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  keep(url, response) {
    const host = new URL(url).host;
    const own = this.jar.get(host) ?? new Map();
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(/;\s*/);
      const equals = pair.indexOf("=");
      const gone = attributes.some((text) => /^max-age=0$/i.test(text) || /^expires=Thu, 01 Jan 1970/i.test(text));
      if (gone) own.delete(pair.slice(0, equals));
      else own.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
    this.jar.set(host, own);
  }

  // One exchange; a redirect is an answer.
  async ask(url, { form, json, headers = {} } = {}) {
    const sent = { ...headers };
    const cookies = this.cookies(url);
    if (cookies) sent.cookie = cookies;
    if (form) sent["content-type"] = "application/x-www-form-urlencoded";
    if (json) sent["content-type"] = "application/json";
    if (form && !("sec-fetch-site" in sent) && !("origin" in sent)) sent.origin = new URL(url).origin;
    const body = form ? new URLSearchParams(form).toString() : json ? JSON.stringify(json) : undefined;
    const response = await fetch(url, { method: body === undefined ? "GET" : "POST", headers: sent, body, redirect: "manual" });
    this.keep(url, response);
    return response;
  }

  // Follows redirects from `url` on, and fills in the provider's forms, until something is at
  // `stop`, which is not asked for.
  async walk(url, login, stop) {
    for (let steps = 0; steps < 20; ++steps) {
      if (url.startsWith(stop)) return url;
      let response = await this.ask(url);
      if (response.status === 200) {
        const page = await response.text();
        const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
        if (!prompt) throw new Error(`no form at ${url}: ${page.slice(0, 500)}`);
        const action = /action="([^"]+)"/.exec(page)[1];
        const fields = prompt === "login" ? { prompt, login, password: "any" } : { prompt };
        url = new URL(action, url).href;
        response = await this.ask(url, { form: fields });
      }
      if (response.status < 300 || response.status > 399)
        throw new Error(`${url}: ${response.status} ${await response.text()}`);
      url = new URL(response.headers.get("location"), url).href;
    }
    throw new Error("too many redirects");
  }
}
