/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * RFC 3339 both ways, by the arithmetic of the proleptic Gregorian calendar:
 * no time zone, no locale and no state of the C library has a say.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/rfc3339.h"

enum {
	DAY = 86400,
	DAYS_OF_400_YEARS = 146097,
	MARCH = 3
};

#define YEAR_0000  INT64_C(-62167219200)
#define YEAR_10000 INT64_C(253402300800)
/* Of 0000-03-01, from where the arithmetic counts. */
#define MARCH_0000 INT64_C(-719468)

/* Days since 1970-01-01; a year that begins in March ends in its leap day. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = year - (month < MARCH), era, of_era;
	unsigned m = (month + 12 - MARCH) % 12;

	era = (y >= 0 ? y : y - 399) / 400;
	y -= era * 400;
	of_era = y * 365 + y / 4 - y / 100 + (153 * m + 2) / 5 + day - 1;
	return MARCH_0000 + era * DAYS_OF_400_YEARS + of_era;
}

/* The other way, for days of the years 0000 to 9999. */
static void
date_of(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	/* One cycle more keeps January and February of 0000 above zero. */
	uint64_t n = (uint64_t)(days - MARCH_0000 + DAYS_OF_400_YEARS);
	unsigned era = (unsigned)(n / DAYS_OF_400_YEARS);
	unsigned d = (unsigned)(n % DAYS_OF_400_YEARS), y, m;

	y = (d - d / 1460 + d / 36524 - d / (DAYS_OF_400_YEARS - 1)) / 365;
	d -= 365 * y + y / 4 - y / 100;
	m = (5 * d + 2) / 153;
	*day = d - (153 * m + 2) / 5 + 1;
	*month = (m + MARCH - 1) % 12 + 1;
	*year = era * 400 + y + (*month < MARCH) - 400;
}

size_t
rfc3339_format(int64_t seconds, uint32_t nanoseconds, char buf[RFC3339_MAX])
{
	unsigned year, month, day, s;
	int64_t days;
	int len;

	if (seconds < YEAR_0000 || seconds >= YEAR_10000)
		return 0;
	days = (seconds - YEAR_0000) / DAY + YEAR_0000 / DAY;
	s = (unsigned)(seconds - days * DAY);
	date_of(days, &year, &month, &day);
	len = snprintf(buf, RFC3339_MAX, "%04u-%02u-%02uT%02u:%02u:%02u", year,
	    month, day, s / 3600, s / 60 % 60, s % 60);
	if (nanoseconds) {
		len += snprintf(buf + len, RFC3339_MAX - (size_t)len,
		    ".%09" PRIu32, nanoseconds);
		while (buf[len - 1] == '0')
			len--;
	}
	buf[len++] = 'Z';
	buf[len] = '\0';
	return (size_t)len;
}

/* Exactly n digits, and the character behind them. */
static bool
take(struct slice *text, unsigned n, const char *behind, unsigned *v)
{
	unsigned x = 0;

	if (text->len < n + (behind != NULL))
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (text->p[i] < '0' || text->p[i] > '9')
			return false;
		x = x * 10 + (text->p[i] - (unsigned)'0');
	}
	if (behind && (!text->p[n] || !strchr(behind, text->p[n])))
		return false;
	text->p += n + (behind != NULL);
	text->len -= n + (behind != NULL);
	*v = x;
	return true;
}

static bool
take_fraction(struct slice *text, uint32_t *ns)
{
	uint32_t unit = 100000000;

	*ns = 0;
	if (!text->len || *text->p != '.')
		return true;
	do {
		text->p++;
		text->len--;
		if (!text->len || *text->p < '0' || *text->p > '9')
			return unit < 100000000;
		*ns += unit * (*text->p - (uint32_t)'0');
		unit /= 10;
	} while (unit);
	text->p++;
	text->len--;
	return true;
}

/* "Z", or hours and minutes east of it, in seconds. */
static bool
take_offset(struct slice *text, int64_t *offset)
{
	unsigned hours, minutes;
	bool west;

	if (!text->len)
		return false;
	west = *text->p == '-';
	if (text->len == 1 && (*text->p | 0x20) == 'z') {
		*offset = 0;
		return true;
	}
	if (*text->p != '+' && !west)
		return false;
	text->p++;
	text->len--;
	if (!take(text, 2, ":", &hours) || !take(text, 2, NULL, &minutes) ||
	    text->len || hours > 23 || minutes > 59)
		return false;
	*offset = hours * INT64_C(3600) + minutes * INT64_C(60);
	if (west)
		*offset = -*offset;
	return true;
}

static unsigned
days_in(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

bool
rfc3339_parse(struct slice text, int64_t *seconds, uint32_t *nanoseconds)
{
	unsigned year, month, day, hour, minute, second;
	int64_t offset, t;
	uint32_t ns;

	if (!take(&text, 4, "-", &year) || !take(&text, 2, "-", &month) ||
	    !take(&text, 2, "Tt", &day) || !take(&text, 2, ":", &hour) ||
	    !take(&text, 2, ":", &minute) || !take(&text, 2, NULL, &second) ||
	    !take_fraction(&text, &ns) || !take_offset(&text, &offset))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
	    hour > 23 || minute > 59 || second > 59)
		return false;
	t = days_of(year, month, day) * DAY + hour * INT64_C(3600) +
	    minute * INT64_C(60) + second - offset;
	*seconds = t;
	*nanoseconds = ns;
	return true;
}
