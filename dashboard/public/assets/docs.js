'use strict';
// The API's description as a page. Text only; no library.

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function schema(description, reference) {
  const name = reference && reference.$ref ? reference.$ref.split('/').pop() : null;
  return name ? { [name]: description.components.schemas[name] } : reference;
}

function body(description, title, content) {
  return Object.entries(content || {}).map(([media, value]) => {
    const box = make('div');
    box.append(make('strong', '', `${title} (${media})`));
    box.append(make('pre', '', JSON.stringify(schema(description, value.schema), null, 2)));
    return box;
  });
}

function operation(description, path, method, details) {
  const box = make('details', 'card');
  const head = make('summary');
  head.append(make('span', 'method', method.toUpperCase()), make('code', '', path));
  head.append(
    make('span', 'muted', `  ${details.summary || ''} · ${details['x-aware-role'] || 'everybody'}`),
  );
  box.append(head, make('p', '', details.description || ''));
  for (const parameter of details.parameters || []) {
    box.append(
      make(
        'p',
        'muted',
        `${parameter.in} ${parameter.name}: ${parameter.description || parameter.schema.type || ''}`,
      ),
    );
  }
  if (details.requestBody) box.append(...body(description, 'Request', details.requestBody.content));
  for (const [status, response] of Object.entries(details.responses)) {
    if (status.startsWith('2')) box.append(...body(description, status, response.content));
    else box.append(make('p', 'muted', `${status}: ${response.description}`));
  }
  return box;
}

fetch('openapi.json')
  .then((response) => response.json())
  .then((description) => {
    document.getElementById('about').textContent = description.info.description.replaceAll('`', '');
    const boxes = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, details]) => operation(description, path, method, details)),
    );
    document.getElementById('operations').append(...boxes);
  });
