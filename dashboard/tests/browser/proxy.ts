// A reverse proxy as operators have one: it takes a path off and passes on, WebSockets as well.

import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';

export async function proxyTo(
  target: string,
  prefix: string,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const { hostname, port } = new URL(target);
  const at = (path: string) => path.slice(prefix.length - 1);
  const server = http.createServer((request, response) => {
    if (!request.url?.startsWith(prefix)) {
      response.writeHead(404).end();
      return;
    }
    const options = {
      hostname,
      port,
      path: at(request.url),
      method: request.method,
      headers: request.headers,
      rejectUnauthorized: false,
    };
    const passed = https.request(options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    passed.on('error', () => response.writeHead(502).end());
    request.pipe(passed);
  });
  server.on('upgrade', (request, socket) => {
    const upstream = tls.connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      const headers = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
      upstream.write(`GET ${at(request.url ?? '/')} HTTP/1.1\r\n${headers.join('')}\r\n`);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
    stop: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}
