import { createTheme } from '@mui/material/styles';

// Honey on paper, and honey in the dark. Every pair of text and ground has a contrast of 4.5 at least.
declare module '@mui/material/styles' {
  interface Palette {
    nest: { comb: string; line: string; queen: string };
  }
  interface PaletteOptions {
    nest?: { comb: string; line: string; queen: string };
  }
}

export const theme = createTheme({
  cssVariables: { colorSchemeSelector: 'data-scheme' },
  colorSchemes: {
    light: {
      palette: {
        primary: { main: '#8a5600', dark: '#6b4300', light: '#c9820a', contrastText: '#ffffff' },
        secondary: { main: '#3f4a5f' },
        success: { main: '#1b6e3c' },
        warning: { main: '#8f5200' },
        error: { main: '#b3261e' },
        info: { main: '#1f5f99' },
        background: { default: '#f6f5f1', paper: '#ffffff' },
        text: { primary: '#1d1b16', secondary: '#5c594f' },
        divider: '#e4e1d8',
        nest: { comb: '#fbe7bd', line: '#d9d3c3', queen: '#f2b134' },
      },
    },
    dark: {
      palette: {
        primary: { main: '#f2b134', dark: '#c98b16', light: '#ffd27a', contrastText: '#231a05' },
        secondary: { main: '#b5bfd2' },
        success: { main: '#6fd39a' },
        warning: { main: '#f3b760' },
        error: { main: '#ff8f85' },
        info: { main: '#8cc4f5' },
        background: { default: '#14130f', paper: '#1e1c17' },
        text: { primary: '#ebe8df', secondary: '#aaa597' },
        divider: '#37342b',
        nest: { comb: '#3d3420', line: '#4a4637', queen: '#f2b134' },
      },
    },
  },
  shape: { borderRadius: 10 },
  typography: {
    fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif',
    fontSize: 13.5,
    body1: { fontSize: '0.9rem' },
    body2: { fontSize: '0.82rem' },
    h1: { fontSize: '1.5rem', fontWeight: 650, letterSpacing: '-0.01em' },
    h2: { fontSize: '1rem', fontWeight: 650 },
    h3: { fontSize: '0.9rem', fontWeight: 650 },
    overline: { fontSize: '0.7rem', fontWeight: 600, letterSpacing: '0.07em', lineHeight: 1.6 },
    button: { textTransform: 'none', fontWeight: 600 },
  },
  components: {
    MuiCssBaseline: {
      styleOverrides: {
        body: { fontVariantNumeric: 'tabular-nums' },
        ':focus-visible': { outline: '2px solid var(--mui-palette-primary-main)', outlineOffset: 2 },
        '@media (prefers-reduced-motion: reduce)': {
          '*, *::before, *::after': { animation: 'none !important', transition: 'none !important' },
        },
      },
    },
    MuiButtonBase: { defaultProps: { disableRipple: true } },
    MuiButton: { defaultProps: { disableElevation: true, size: 'small' } },
    MuiPaper: { defaultProps: { elevation: 0 }, styleOverrides: { root: { backgroundImage: 'none' } } },
    MuiTextField: { defaultProps: { size: 'small' } },
    MuiSelect: { defaultProps: { size: 'small' } },
    MuiChip: { defaultProps: { size: 'small' } },
    MuiTooltip: { defaultProps: { arrow: true, enterDelay: 400 } },
    MuiTab: { styleOverrides: { root: { minHeight: 42 } } },
    MuiTableCell: {
      styleOverrides: {
        head: { fontWeight: 600, color: 'var(--mui-palette-text-secondary)', fontSize: '0.78rem' },
        root: { borderColor: 'var(--mui-palette-divider)' },
      },
    },
  },
});

export const MONO = 'ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace';
