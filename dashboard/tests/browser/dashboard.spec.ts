import AxeBuilder from '@axe-core/playwright';
import { mkdirSync } from 'node:fs';
import { expect, logIn, open, test } from './colony';

const PAGES: [string, string, string][] = [
  ['colony', '/', 'Colony'],
  ['nodes', '/nodes', 'Nodes'],
  ['events', '/events', 'Events'],
  ['jobs', '/jobs', 'Jobs'],
  ['operations', '/jobs?tab=operations', 'Jobs'],
  ['spec', '/spec', 'Spec'],
  ['council', '/council', 'Council'],
  ['access', '/access', 'Access'],
  ['accounts', '/access?tab=accounts', 'Access'],
  ['webhooks', '/access?tab=webhooks', 'Access'],
  ['audit', '/access?tab=audit', 'Access'],
  ['tokens', '/access?tab=tokens', 'Access'],
  ['backups', '/backups', 'Backups'],
  ['trust', '/trust', 'Trust'],
];
/** What docs show. */
const SHOWN = ['nodes-light', 'spec-light', 'council-light'];
const IMAGES = '../docs/images';
const SCREENSHOTS = process.env['AWARE_SCREENSHOTS'] === '1';

test('a wrong password is refused in words, and the right one opens the colony', async ({ page, colony }) => {
  await page.goto(colony.url(colony.hello.queen));
  await expect(page.getByRole('heading', { name: 'Log in to nest' })).toBeVisible();
  await page.getByLabel('User').fill('vera');
  await page.getByLabel('Password').fill('not her password');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('alert')).toContainText('wrong');
  await page.getByLabel('Password').fill(colony.hello.passwords['vera'] ?? '');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('heading', { name: 'Colony' })).toBeVisible();
  await expect(page.getByText('healthy', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Your account' }).click();
  await page.getByRole('menuitem', { name: 'Log out' }).click();
  await expect(page.getByRole('heading', { name: 'Log in to nest' })).toBeVisible();
});

for (const scheme of ['light', 'dark'] as const) {
  test(`every page is for everybody, in the ${scheme}`, async ({ page, colony }) => {
    test.setTimeout(480_000);
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    await page.goto(colony.url(colony.hello.queen));
    await expect(page.getByRole('heading', { name: 'Log in to nest' })).toBeVisible();
    const login = await new AxeBuilder({ page }).analyze();
    expect(login.violations).toEqual([]);
    await logIn(page, colony, colony.url(colony.hello.queen));
    const [node] = (await colony.ask<{ nodes: { id: string; name: string }[] }>('GET', '/v1/nodes')).nodes;
    const own: [string, string, string][] = ['overview', 'configuration', 'events', 'actions'].map((tab) => [
      `node-${tab}`,
      `/nodes/${node?.id}?tab=${tab}`,
      node?.name ?? '',
    ]);
    const failed = await colony.ranJob({ service_name: 'nginx', broken: 'nest-4' });
    own.push(['job', `/jobs/${failed}`, 'rolling-restart']);
    const found: unknown[] = [];
    for (const [name, path, title] of [...PAGES, ...own]) {
      await open(page, path);
      await expect(page.getByRole('heading', { name: title, level: 1 })).toBeVisible();
      const { violations } = await new AxeBuilder({ page })
        .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
        .analyze();
      found.push(
        ...violations.map(({ id, nodes }) => [
          name,
          id,
          nodes.map((one) => [one.target, one.any[0]?.message]),
        ]),
      );
      const all = process.env['AWARE_ALL_SCREENSHOTS'];
      if (all) await page.screenshot({ path: `${all}/${name}-${scheme}.png` });
      if (SCREENSHOTS && SHOWN.includes(`${name}-${scheme}`)) {
        await page.screenshot({ path: `${IMAGES}/dashboard-${name}.png` });
      }
    }
    expect(found).toEqual([]);
  });
}

test('a page is gone through by keys alone', async ({ page, colony }) => {
  await logIn(page, colony, colony.url(colony.hello.queen), 'otto');
  await page.locator('body').press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the page' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('#main')).toBeFocused();
  await page.getByRole('link', { name: 'Nodes', exact: true }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Nodes', level: 1 })).toBeFocused();
});

test('who may only look is offered nothing else', async ({ page, colony }) => {
  await logIn(page, colony, colony.url(colony.hello.queen), 'vera');
  await open(page, '/nodes');
  await expect(page.getByRole('table', { name: 'Nodes' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Cordon' })).toHaveCount(0);
  await expect(page.getByRole('checkbox')).toHaveCount(0);
  await open(page, '/spec');
  await expect(page.getByLabel('Spec as YAML')).toHaveAttribute('readonly');
  await expect(page.getByRole('button', { name: 'Plan' })).toHaveCount(0);
  await open(page, '/access');
  await expect(page.getByRole('tab')).toHaveText(['Sessions']);
  await open(page, '/nodes');
  await page.getByRole('link', { name: 'nest-1', exact: true }).click();
  await page.getByRole('tab', { name: 'Actions' }).click();
  for (const name of ['Cordon', 'Drain', 'Remove'])
    await expect(page.getByRole('button', { name })).toBeDisabled();
  await expect(page.getByText('This takes the role operator.').first()).toBeVisible();
});

test('nodes are found, and cordoned many at once; the address keeps what is shown', async ({
  page,
  colony,
}) => {
  await logIn(page, colony, colony.url(colony.hello.queen), 'otto');
  await open(page, '/nodes?zone=south&sort=-name');
  const table = page.getByRole('table', { name: 'Nodes' });
  await expect(table.getByRole('row')).toHaveCount(4);
  await expect(table.getByRole('link').first()).toHaveText('nest-5');
  await page.getByLabel('Name, address or id').fill('nest-1');
  await expect(table.getByRole('row')).toHaveCount(2);
  await expect(page).toHaveURL(/q=nest-1/);
  await page.reload();
  await expect(table.getByRole('row')).toHaveCount(2);
  await open(page, '/nodes?zone=south');
  await expect(table.getByRole('row')).toHaveCount(4);
  await page.getByRole('checkbox', { name: 'Select all rows' }).check();
  await page.getByRole('button', { name: 'Cordon' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cordon' }).click();
  await expect(page.getByTestId('notices')).toContainText('3 nodes cordoned');
  await expect(table.getByText('cordoned')).toHaveCount(3);
  const { nodes } = await colony.ask<{ nodes: { name: string; cordoned: boolean }[] }>('GET', '/v1/nodes');
  expect(nodes.filter((node) => node.cordoned)).toHaveLength(3);
  await page.getByRole('checkbox', { name: 'Select all rows' }).check();
  await page.getByRole('button', { name: 'Open' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Open' }).click();
  await expect(table.getByText('cordoned')).toHaveCount(0);
});

test('a spec is planned before it is applied, and rolled back', async ({ page, colony }) => {
  await logIn(page, colony, colony.url(colony.hello.queen), 'otto');
  await open(page, '/spec');
  const editor = page.getByLabel('Spec as YAML');
  const before = await editor.inputValue();
  await editor.fill('colony: [');
  await expect(page.locator('#spec-error')).toContainText('Line 1');
  await expect(page.getByRole('button', { name: 'Plan' })).toBeDisabled();
  await editor.fill(before.replace('count: 2', 'count: 9'));
  await page.getByRole('button', { name: 'Plan' }).click();
  await expect(page.getByRole('main').getByRole('alert')).toContainText('castes want 10 nodes');
  await editor.fill(before.replace('count: 2', 'count: 3'));
  await page.getByRole('button', { name: 'Plan' }).click();
  await expect(page.getByTestId('plan')).toContainText('castes.web.count');
  const read = () => colony.ask<{ spec: { castes: { web: { count: number } } } }>('GET', '/v1/spec');
  expect((await read()).spec.castes.web.count).toBe(2);
  const { versions: known } = await colony.ask<{ versions: unknown[] }>('GET', '/v1/spec/history');
  const versions = known.length;
  await page.getByRole('button', { name: 'Apply' }).click();
  await expect(page.getByTestId('notices')).toContainText('The spec is in force');
  expect((await read()).spec.castes.web.count).toBe(3);
  await expect(page.getByRole('button', { name: 'Roll back' })).toHaveCount(versions);
  await page.getByRole('button', { name: 'Roll back' }).first().click();
  await expect(page.getByRole('dialog')).toContainText('castes.web.count');
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
  await expect(page.getByTestId('notices')).toContainText('in force again');
  expect((await read()).spec.castes.web.count).toBe(2);
});

test('a configuration is rehearsed, put, compared and rolled back', async ({ page, colony }) => {
  await logIn(page, colony, colony.url(colony.hello.queen), 'otto');
  await open(page, '/nodes/nest-2?tab=configuration');
  const editor = page.getByLabel('Configuration as YAML');
  for (const color of ['green', 'blue']) {
    await editor.fill(`agent: {}\nvars: {color: ${color}}\n`);
    await page.getByRole('button', { name: 'Rehearse' }).click();
    await expect(page.getByTestId('steps')).toBeVisible();
    await page.getByRole('button', { name: 'Put' }).click();
    await expect(editor).toHaveValue(new RegExp(`color: ${color}`));
    await expect(page.getByRole('table', { name: 'Versions' }).getByRole('row').nth(1)).toContainText(
      'in force',
    );
    await expect(
      page.getByRole('list', { name: 'Changes' }).or(page.getByText('Nothing was set yet')),
    ).toHaveCount(color === 'blue' ? 1 : 0);
  }
  await expect(page.getByRole('list', { name: 'Changes' })).toContainText('green');
  await page.getByRole('button', { name: 'Roll back' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).click();
  await expect(editor).toHaveValue(/green/);
});

test('a join token is shown once', async ({ page, colony }) => {
  await logIn(page, colony, colony.url(colony.hello.queen));
  await open(page, '/access?tab=tokens');
  await page.getByRole('button', { name: 'Make a token' }).click();
  await page.getByLabel('Node name').fill('nest-9');
  await page.getByRole('dialog').getByRole('button', { name: 'Make', exact: true }).click();
  await expect(page.getByLabel('Join token', { exact: true })).toHaveValue(/^aware1\./);
  await page.getByRole('button', { name: 'Done' }).click();
  const row = page.getByRole('row').filter({ hasText: 'nest-9' });
  await expect(row).toBeVisible();
  await row.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await expect(row).toHaveCount(0);
});

test('events arrive by themselves and can be taken away', async ({ page, colony }) => {
  await logIn(page, colony, colony.url(colony.hello.queen), 'vera');
  await open(page, '/events?type=node.');
  await colony.ask('PATCH', '/v1/nodes/nest-4', { labels: { seen: 'live' } });
  await expect(page.getByRole('table', { name: 'Events' })).toContainText('labels of nest-4 changed');
  const coming = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export' }).click();
  await page.getByRole('menuitem', { name: 'JSON Lines' }).click();
  const stream = await (await coming).createReadStream();
  let text = '';
  for await (const piece of stream) text += String(piece);
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.every((line) => line.type.startsWith('node.'))).toBe(true);
});

test('ten thousand nodes are a table and a comb like five', async ({ page, colony }) => {
  await page.route('**/v1/nodes', async (route) => {
    const answer = await route.fetch();
    const document = (await answer.json()) as { nodes: { id: string; name: string; status: string }[] };
    const [first] = document.nodes;
    const many = Array.from({ length: 10_000 }, (_, number) => ({
      ...first,
      id: `made-${number}`,
      name: `made-${number}`,
      role: 'worker',
      status: number % 500 === 0 ? 'suspect' : 'ready',
    }));
    await route.fulfill({ response: answer, json: { ...document, nodes: [...document.nodes, ...many] } });
  });
  await logIn(page, colony, colony.url(colony.hello.queen), 'vera');
  await expect(page.getByText('The nest: 10,005 nodes')).toBeVisible();
  if (SCREENSHOTS) await page.screenshot({ path: `${IMAGES}/dashboard-large.png` });
  await open(page, '/nodes');
  const table = page.getByRole('table', { name: 'Nodes' });
  await expect(table).toHaveAttribute('aria-rowcount', '10006');
  expect(await table.getByRole('row').count()).toBeLessThan(80);
  await table.focus();
  await page.keyboard.press('End');
  await expect(table.getByRole('link', { name: 'nest-5' })).toBeVisible();
  await page.getByLabel('Name, address or id').fill('made-9999');
  await expect(table.getByRole('row')).toHaveCount(2);
});

test('an identity provider says who somebody is', async ({ page, colony, watched }, info) => {
  watched.others.add('fonts.googleapis.com'); // the provider's own page asks there

  const directory = info.outputPath('.');
  mkdirSync(directory, { recursive: true });
  const made = await colony.tell<{ skip?: string; status?: number }>('provider', directory);
  test.skip(made.skip !== undefined, made.skip ?? '');
  expect(made.status).toBe(200);
  // From another member's address: the page goes to where the provider brings browsers back to.
  await page.goto(colony.url(await colony.other()));
  await page.getByRole('button', { name: 'Log in with corp' }).click();
  await page.locator('input[name=login]').fill('alice');
  await page.locator('input[name=password]').fill('any');
  await page.getByRole('button', { name: /sign-in/i }).click();
  await page.getByRole('button', { name: /continue/i }).click();
  await expect(page.getByTestId('link')).toHaveText('Live');
  expect(page.url()).toBe(`${(await colony.queen()).url}/#/`);
  await page.getByRole('button', { name: 'Your account' }).click();
  await expect(page.getByText('corp:alice', { exact: true })).toBeVisible();
  await expect(page.getByText('admin', { exact: true })).toBeVisible();
});
