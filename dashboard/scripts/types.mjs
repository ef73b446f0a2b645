// Types of the gateway's API, out of its OpenAPI document on stdin:
// node scripts/types.mjs FILE [--check]
// Left out is what says the same everywhere: problems and headers. With --check it only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import openapiTS, { astToString } from 'openapi-typescript';
import prettier from 'prettier';

const [file, check] = process.argv.slice(2);
const document = JSON.parse((await process.stdin.toArray()).join(''));
for (const operations of Object.values(document.paths)) {
  for (const operation of Object.values(operations)) {
    operation.responses = Object.fromEntries(
      Object.entries(operation.responses).filter(([status]) => status.startsWith('2')),
    );
    operation.parameters = operation.parameters.filter((one) => one.in !== 'header');
    delete operation.description;
    delete operation.summary;
  }
}
delete document.components.securitySchemes;
const head = '// Made of the gateway\'s OpenAPI document by "make dashboard"; do not edit.\n';
const made = await prettier.format(head + astToString(await openapiTS(document)), {
  parser: 'typescript',
  printWidth: 110,
  singleQuote: true,
});
if (check === '--check') {
  const current = readFileSync(file, 'utf8') === made;
  if (!current) console.error(`error: ${file} is not what the gateway says: run make dashboard`);
  process.exit(current ? 0 : 1);
}
writeFileSync(file, made);
