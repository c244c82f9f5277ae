// Shows pages that were seen before while there is no network: only those that the server lets a phone keep
// (X-Keep-Offline), which hold no address of anybody. Signing out removes them.

const CACHE = "oms-store-1";
const FILES = ["/console/store.css", "/console/store.js"];

self.addEventListener("install", (event) => event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES))));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || request.headers.get("accept")?.includes("text/event-stream")) return;
  event.respondWith(fromNetworkFirst(request));
});

async function fromNetworkFirst(request) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    const isFile = FILES.includes(new URL(request.url).pathname);
    if (answer.ok && (isFile || answer.headers.get("X-Keep-Offline"))) await cache.put(request.url, answer.clone());
    return answer;
  } catch (error) {
    const known = await cache.match(request.url, { ignoreSearch: false });
    if (known) return known;
    throw error;
  }
}
